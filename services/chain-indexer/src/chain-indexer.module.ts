import type { Deployment } from '@astro/chain/deployment/addresses';
import { RpcPool } from '@astro/chain/rpc/pool';
import { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import { SharedWork } from '@astro/jetstream/shared-work';
import { logFor } from '@astro/runtime/logging';
import { HealthChecks } from '@astro/runtime/health';
import { PlatformModule } from '@astro/runtime/platform.module';
import { Module, type DynamicModule, type OnApplicationShutdown, type Provider } from '@nestjs/common';
import type { ChainIndexerConfig } from './chain-indexer.config.js';
import { ChainHealthController } from './chain-health.controller.js';
import { chainEntities, chainProjections } from './projections.js';
import { ChainView } from './follow/chain-view.js';
import { FollowStatus } from './follow/follow-status.js';
import { followUnit } from './follow/follow.unit.js';
import { Follower } from './follow/follower.js';

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
      providers: [FollowStatus, following(config, deployment)],
    };
  }
}

/** The endpoints are closed with the module, after the unit that uses them has stopped. */
class Endpoints implements OnApplicationShutdown {
  constructor(private readonly pool: RpcPool) {}

  onApplicationShutdown(): void {
    this.pool.close();
  }
}

const following = (config: ChainIndexerConfig, deployment: Deployment): Provider => ({
  provide: Endpoints,
  inject: [Bus, EventStore, SharedWork, FollowStatus, HealthChecks],
  useFactory(bus: Bus, store: EventStore, work: SharedWork, status: FollowStatus, checks: HealthChecks) {
    checks.register('chain', () => status.problem);
    const pool = new RpcPool(config.RPC_URL.split(','), { callsPerSecond: config.CHAIN_CALLS_PER_SECOND });
    const view = new ChainView(deployment.contracts, config.CHAIN_FINALITY_BLOCKS);
    const { chainId, before } = deployment;
    const log = logFor('follow');
    const headEveryMs = config.CHAIN_HEAD_EVERY_MS;
    const follower = new Follower({ pool, view, store, chainId, log, headEveryMs });
    work.add(
      followUnit({ bus, store, follower, chainId, before, pollMs: config.CHAIN_POLL_MS, log, status }),
    );
    return new Endpoints(pool);
  },
});
