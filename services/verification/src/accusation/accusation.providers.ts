import { readFileSync } from 'node:fs';
import { readAddresses } from '@astro/chain/deployment/files';
import { RpcPool } from '@astro/chain/rpc/pool';
import { TransactionJournal } from '@astro/chain/transactions/journal';
import { TransactionSender } from '@astro/chain/transactions/sender';
import { walletOf } from '@astro/chain/wallet';
import { Bus } from '@astro/jetstream/bus';
import { CommandBus } from '@astro/jetstream/command-bus';
import { EventStore } from '@astro/jetstream/event-store';
import { SharedWork } from '@astro/jetstream/shared-work';
import { logFor } from '@astro/runtime/logging';
import { aggregateToken } from '@astro/runtime/platform.module';
import { MikroORM } from '@mikro-orm/postgresql';
import type { OnApplicationShutdown, Provider } from '@nestjs/common';
import pg from 'pg';
import type { VerificationConfig } from '../verification.config.js';
import { accuseUnit, type AccuseOptions } from './accuse.unit.js';
import { LinkedAddresses } from './linked-addresses.provider.js';

/** Connections that the journal of transactions may hold. */
const journalConnections = 4;
/** So that stopping does not wait for the chain: whoever is next waits for the same transaction. */
const patienceMs = 5_000;

/** Closed with the module, after the unit that uses them has stopped. */
class AccuserConnections implements OnApplicationShutdown {
  constructor(
    private readonly pool: RpcPool,
    private readonly database: pg.Pool,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    this.pool.close();
    await this.database.end();
  }
}

/**
 * Nothing without the key of an accuser: then faults are recorded, and nobody is accused on a chain.
 * @throws Error naming the key that is missing or wrong
 */
export function accusing(config: VerificationConfig): readonly Provider[] {
  const { RPC_URL, CHAIN_ADDRESSES_FILE, ACCUSER_KEY_FILE } = config;
  if (ACCUSER_KEY_FILE === undefined) return [];
  if (RPC_URL === undefined || CHAIN_ADDRESSES_FILE === undefined)
    throw new Error('ACCUSER_KEY_FILE: needs RPC_URL and CHAIN_ADDRESSES_FILE beside it');
  const deployment = readAddresses(CHAIN_ADDRESSES_FILE);
  const wallet = walletOf(readFileSync(ACCUSER_KEY_FILE, 'utf8').trim());
  const provider: Provider = {
    provide: AccuserConnections,
    inject: [Bus, CommandBus, EventStore, SharedWork, MikroORM, aggregateToken('accusation')],
    useFactory(
      bus: Bus,
      commands: CommandBus,
      store: EventStore,
      work: SharedWork,
      orm: MikroORM,
      accusations: AccuseOptions['accusations'],
    ) {
      const log = logFor('accusations');
      const pool = new RpcPool(RPC_URL.split(','));
      const database = new pg.Pool({ connectionString: config.DATABASE_URL, max: journalConnections });
      // An idle connection that ends, as when the server does, must not end the process.
      database.on('error', error =>
        log.warn('a connection of the journal has ended', { reason: error.message }),
      );
      const journal = new TransactionJournal(database, 'verification');
      const { chainId } = deployment;
      const limits = { confirmations: config.CHAIN_CONFIRMATIONS, giveUpAfterMs: patienceMs };
      const addresses = new LinkedAddresses(store, chainId);
      work.add(
        accuseUnit({
          ...{ bus, commands, accusations, log, pollMs: config.ACCUSE_POLL_MS },
          chain: { deployment, pool, accuser: wallet.address, finalityBlocks: config.CHAIN_FINALITY_BLOCKS },
          openSender: async () =>
            (await TransactionSender.start({ pool, wallet, chainId, journal, ...limits })).sender,
          settledUnder: async key => (await journal.find(key))?.settled,
          addressesOf: operatorId => addresses.of(operatorId),
          readTables: () => orm.em.fork(),
        }),
      );
      return new AccuserConnections(pool, database);
    },
  };
  return [provider];
}
