import { Verdict, verdicts } from '@astro/read-models/verification/verdicts';
import { PlatformModule } from '@astro/runtime/platform.module';
import { Module, type DynamicModule } from '@nestjs/common';
import { recordResults } from './record-results.reactor.js';
import { task } from './task/task.js';
import type { VerificationConfig } from './verification.config.js';

@Module({})
export class VerificationModule {
  static with(config: VerificationConfig): DynamicModule {
    return {
      module: VerificationModule,
      imports: [
        PlatformModule.forService({
          context: 'verification',
          config,
          aggregates: { task: task({ maxReplicas: config.MAX_REPLICAS }) },
          projections: [verdicts],
          reactors: [recordResults],
          entities: [Verdict],
        }),
      ],
    };
  }
}
