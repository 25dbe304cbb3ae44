import { Bus } from '@astro/jetstream/bus';
import { DesiredStates } from '@astro/jetstream/desired-state';
import { LeaseLogs } from '@astro/jetstream/lease-logs';
import { TaskProgress } from '@astro/jetstream/task-progress';
import { Booking, bookings } from '@astro/read-models/scheduling/bookings';
import { Job, jobs } from '@astro/read-models/scheduling/jobs';
import { Lease, leases } from '@astro/read-models/scheduling/leases';
import { Task, tasks } from '@astro/read-models/scheduling/tasks';
import { PlatformModule } from '@astro/runtime/platform.module';
import { Module, type DynamicModule } from '@nestjs/common';
import { actOnVerdicts } from './act-on-verdicts.reactor.js';
import { AgentLogsController } from './agent-logs.controller.js';
import { AgentReportsController } from './agent-reports.controller.js';
import { confirmFundedBookings } from './confirm-funded-bookings.reactor.js';
import { DesiredStateController } from './desired-state.controller.js';
import { DesiredStatePublisher } from './desired-state.publisher.js';
import { TickQuestions } from './explaining/tick-questions.loop.js';
import { failAbandonedJobs } from './fail-abandoned-jobs.reactor.js';
import { followExtensions } from './follow-extensions.reactor.js';
import { followJobs } from './follow-jobs.reactor.js';
import { followNodes } from './follow-nodes.reactor.js';
import { followOperators } from './follow-operators.reactor.js';
import { job } from './job/job.js';
import { PolicyLearner } from './learning/policy-learner.loop.js';
import { PlacementLoop } from './placement.loop.js';
import { pool } from './pool/pool.js';
import { queueFundedJobs } from './queue-funded-jobs.reactor.js';
import { schedulingConfigToken, type SchedulingConfig } from './scheduling.config.js';
import { tellOfShortages } from './tell-of-shortages.reactor.js';

@Module({})
export class SchedulingModule {
  static with(config: SchedulingConfig): DynamicModule {
    return {
      module: SchedulingModule,
      imports: [
        PlatformModule.forService({
          context: 'scheduling',
          config,
          aggregates: { job, pool },
          questions: { tick: new TickQuestions(config) },
          projections: [jobs, tasks, leases, bookings],
          reactors: [
            queueFundedJobs,
            confirmFundedBookings(config.POOL_ID),
            followJobs(config.POOL_ID),
            followNodes(config.POOL_ID),
            followOperators(config.POOL_ID),
            actOnVerdicts,
            failAbandonedJobs,
            followExtensions(config.POOL_ID),
            tellOfShortages,
          ],
          entities: [Job, Task, Lease, Booking],
        }),
      ],
      controllers: [AgentReportsController, AgentLogsController, DesiredStateController],
      providers: [
        { provide: schedulingConfigToken, useValue: config },
        { provide: DesiredStates, inject: [Bus], useFactory: (bus: Bus) => new DesiredStates(bus) },
        { provide: LeaseLogs, inject: [Bus], useFactory: (bus: Bus) => new LeaseLogs(bus) },
        { provide: TaskProgress, inject: [Bus], useFactory: (bus: Bus) => new TaskProgress(bus) },
        DesiredStatePublisher,
        PolicyLearner,
        PlacementLoop,
      ],
    };
  }
}
