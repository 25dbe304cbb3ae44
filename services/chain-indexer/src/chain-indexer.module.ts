import type { Deployment } from '@astro/chain/deployment/addresses';
import { SharedWork } from '@astro/jetstream/shared-work';
import { logFor } from '@astro/runtime/logging';
import { HealthChecks } from '@astro/runtime/health';
import { PlatformModule } from '@astro/runtime/platform.module';
import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { readFile } from 'node:fs/promises';
import type { ChainIndexerConfig } from './chain-indexer.config.js';
import { ChainHealthController } from './chain-health.controller.js';
import { chainEntities, chainProjections } from './projections.js';
import { FollowStatus } from './follow/follow-status.js';
import { followUnit, type FollowTask } from './follow/follow.unit.js';

@Module({})
export class ChainIndexerModule {
  static with(config: ChainIndexerConfig, deployment: Deployment): DynamicModule {
    return {
      module: ChainIndexerModule,
      imports: [
        PlatformModule.forService({
          context: 'chain',
          config,
          projections: chainProjections,
          entities: chainEntities,
        }),
      ],
      controllers: [ChainHealthController],
      providers: [
        { provide: FollowStatus, useFactory: () => new FollowStatus() },
        following(config, deployment),
      ],
    };
  }
}

/** Token of the unit, so that it is made with the module. */
const FOLLOWING = 'following of the chain';

const following = (config: ChainIndexerConfig, deployment: Deployment): Provider => ({
  provide: FOLLOWING,
  inject: [SharedWork, FollowStatus, HealthChecks],
  async useFactory(work: SharedWork, status: FollowStatus, checks: HealthChecks) {
    checks.register('chain', () => status.problem);
    const { NATS_URL: servers, NATS_CREDENTIALS_FILE: path } = config;
    const credentials = path === undefined ? {} : { credentials: await readFile(path, 'utf8') };
    const { contracts, chainId, before } = deployment;
    const task: FollowTask = {
      bus: { servers, name: 'chain-follow', ...credentials },
      rpcUrls: config.RPC_URL.split(','),
      callsPerSecond: config.CHAIN_CALLS_PER_SECOND,
      ...{ contracts, chainId, before },
      finalityBlocks: config.CHAIN_FINALITY_BLOCKS,
      pollMs: config.CHAIN_POLL_MS,
      headEveryMs: config.CHAIN_HEAD_EVERY_MS,
    };
    const unit = followUnit({ task, log: logFor('follow'), status });
    work.add(unit);
    return unit;
  },
});
