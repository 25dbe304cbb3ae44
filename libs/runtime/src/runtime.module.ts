import { Global, Module } from '@nestjs/common';
import { HealthController } from './health.controller.js';
import { HealthChecks } from './health.js';
import { ProjectionReports } from './projection-reports.js';
import { Transports } from './transports.js';
import { WorkReports } from './work-reports.js';

/** What every service has, whether or not it has a bus or a database. */
@Global()
@Module({
  controllers: [HealthController],
  providers: [HealthChecks, ProjectionReports, Transports, WorkReports],
  exports: [HealthChecks, ProjectionReports, Transports, WorkReports],
})
export class RuntimeModule {}
