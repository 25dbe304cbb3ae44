import { createHmac, randomBytes } from 'node:crypto';
import { Accusation, accusations } from '@astro/read-models/verification/accusations';
import { Verdict, verdicts } from '@astro/read-models/verification/verdicts';
import { PlatformModule } from '@astro/runtime/platform.module';
import { Module, type DynamicModule } from '@nestjs/common';
import { accusation } from './accusation/accusation.js';
import { accusing } from './accusation/accusation.providers.js';
import { recordFaults } from './accusation/record-faults.reactor.js';
import { collusion } from './collusion/collusion.js';
import { noteVerdicts } from './collusion/note-verdicts.reactor.js';
import { auditEntities, auditOf, auditProjections, auditProviders } from './audit/audit.providers.js';
import { openAudits } from './audit/open-audits.reactor.js';
import { ValidatorReportsController } from './audit/validator-reports.controller.js';
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
          aggregates: {
            task: task({ maxReplicas: config.MAX_REPLICAS }),
            ...{ accusation, collusion, audit: auditOf(config) },
          },
          projections: [verdicts, accusations, ...auditProjections],
          reactors: [recordResults(newSeeds()), recordFaults, openAudits(ratesIn(config), newSeeds())],
          gatheringReactors: [noteVerdicts],
          entities: [Verdict, Accusation, ...auditEntities],
        }),
      ],
      controllers: [ValidatorReportsController],
      providers: [...accusing(config), ...auditProviders(config, randomBytes(32).toString('hex'))],
    };
  }
}

const ratesIn = ({ AUDIT_SAMPLE_PPM: samplePpm, AUDIT_PLANTED_PPM: plantedPpm }: VerificationConfig) => ({
  samplePpm,
  plantedPpm,
});

/**
 * Seeds that nobody outside of this process can foresee. Its secret is never written down: each seed is recorded with
 * what was drawn from it, and a redelivered event whose command another process has sent already changes nothing.
 */
function newSeeds(): (eventId: string) => string {
  const secret = randomBytes(32);
  return eventId => createHmac('sha256', secret).update(eventId).digest('hex').slice(0, 32);
}
