import type { WorkReport } from '@astro/jetstream/shared-work';
import { Controller, Get, Inject, ServiceUnavailableException } from '@nestjs/common';
import { HealthChecks, type HealthReport } from './health.js';
import { ProjectionReports, type ProjectionReport } from './projection-reports.js';
import { WorkReports } from './work-reports.js';

@Controller('health')
export class HealthController {
  constructor(
    @Inject(HealthChecks) private readonly checks: HealthChecks,
    @Inject(ProjectionReports) private readonly projectionReports: ProjectionReports,
    @Inject(WorkReports) private readonly workReports: WorkReports,
  ) {}

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

  /** How far each projection of the service has come, and how far its stream. */
  @Get('projections')
  async projections(): Promise<{ projections: readonly ProjectionReport[] }> {
    return { projections: await this.projectionReports.all() };
  }

  /** Which units of the service's work this process has, and how many messages of each it has handled. */
  @Get('work')
  work(): WorkReport {
    return this.workReports.now();
  }
}
