import { Controller, Get, Inject, ServiceUnavailableException } from '@nestjs/common';
import { HealthChecks, type HealthReport } from './health.js';

@Controller('health')
export class HealthController {
  constructor(@Inject(HealthChecks) private readonly checks: HealthChecks) {}

  /** The process answers; a supervisor restarts it when this fails. */
  @Get('live')
  live(): { status: 'live' } {
    return { status: 'live' };
  }

  /** 200 when every part works, else 503 with what is missing. */
  @Get('ready')
  async ready(): Promise<{ status: 'ready'; checks: HealthReport['checks'] }> {
    const { ready, checks } = await this.checks.report();
    if (!ready) throw new ServiceUnavailableException({ status: 'unready', checks });
    return { status: 'ready', checks };
  }
}
