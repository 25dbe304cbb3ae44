import { Controller, Get } from '@nestjs/common';
import { FollowStatus, type FollowReport } from './follow/follow-status.js';

@Controller('health')
export class ChainHealthController {
  constructor(private readonly status: FollowStatus) {}

  /** Whether this process follows the chain, and how far behind its head it is. */
  @Get('chain')
  chain(): FollowReport {
    return this.status.report;
  }
}
