import { readFile } from 'node:fs/promises';
import { AgentAccountKeeper } from '@astro/jetstream/agent-account-keeper';
import { Bus } from '@astro/jetstream/bus';
import { Lane, recordedFrom, type Delivered } from '@astro/jetstream/lane';
import { AGENT_JWT_TTL_MAX_SECONDS } from '@astro/jetstream/credentials';
import { SharedWork, type Part } from '@astro/jetstream/shared-work';
import { eventStreamOf } from '@astro/jetstream/subjects';
import type { NodeEvent } from '@astro/messages/registry';
import { logFor } from '@astro/runtime/logging';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { revokedKeyIn } from './node/revoked-key.js';
import { registryConfigToken, type RegistryConfig } from './registry.config.js';

const MS_PER_SECOND = 1_000;
const unit = 'key-revocation';

/**
 * Has the NATS server shut out keys of nodes that were replaced or revoked. Each start of the lane tells it again all
 * that can still matter, so that a server which lost it learns it anew, and a batch that fails is tried for ever.
 */
@Injectable()
export class KeyRevocation implements OnModuleInit {
  readonly #log = logFor(unit);

  constructor(
    private readonly work: SharedWork,
    private readonly bus: Bus,
    @Inject(registryConfigToken) private readonly config: RegistryConfig,
  ) {}

  async onModuleInit(): Promise<void> {
    const {
      NATS_URL: servers,
      NATS_ACCOUNT_KEEPER_CREDENTIALS_FILE: file,
      AGENT_ACCOUNT_PUBLIC_KEY: accountPublicKey,
      OPERATOR_SIGNING_SEED: operatorSigningSeed,
    } = this.config;
    if (!file || !accountPublicKey || !operatorSigningSeed) {
      this.#log.warn('revoked nodes stay connected until their credentials expire: no key to revoke with');
      return;
    }
    const credentials = await readFile(file, 'utf8');
    const options = { servers, credentials, accountPublicKey, operatorSigningSeed };
    this.work.add({ name: unit, open: () => this.#lane(new AgentAccountKeeper(options)) });
  }

  #lane(keeper: AgentAccountKeeper): Part {
    const lane = new Lane(
      this.bus,
      {
        stream: eventStreamOf('registry'),
        durable: `registry_${unit}`,
        filterSubjects: ['NodeKeyReplaced', 'NodeRevoked'].map(event => `evt.registry.node.*.${event}`),
        startAfter: () => Promise.resolve(0),
        handleBatch: batch => this.#revoke(keeper, batch),
      },
      this.#log,
    );
    return {
      get healthy() {
        return lane.healthy;
      },
      start: () => lane.start(),
      async stop() {
        await lane.stop();
        await keeper.close();
      },
    };
  }

  async #revoke(keeper: AgentAccountKeeper, batch: readonly Delivered[]): Promise<void> {
    const now = new Date();
    const oldest = now.getTime() - AGENT_JWT_TTL_MAX_SECONDS * MS_PER_SECOND;
    const revoked = batch.map(recordedFrom).flatMap(({ event, recordedAt: revokedAt }) => {
      const publicKey = revokedKeyIn(event as NodeEvent);
      return publicKey !== undefined && revokedAt.getTime() >= oldest ? [{ publicKey, revokedAt }] : [];
    });
    if (revoked.length === 0) return;
    if (await keeper.revoke(revoked, now)) this.#log.info('keys were revoked', { keys: revoked.length });
  }
}
