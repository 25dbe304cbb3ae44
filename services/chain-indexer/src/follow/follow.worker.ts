/**
 * Follows a chain on a thread of its own: reading blocks, checking them and writing them down keeps a core busy, and
 * the lanes of the read models would stand still meanwhile. Imports packages alone, so that Node can load this file
 * from the sources as well as from the build.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { RpcPool } from '@astro/chain/rpc/pool';
import { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import type { Log } from '@astro/jetstream/log';
import { ChainView } from '@astro/chain-indexer/follow/chain-view';
import { FollowStatus } from '@astro/chain-indexer/follow/follow-status';
import type { FollowTask, Said } from '@astro/chain-indexer/follow/follow.unit';
import { Follower } from '@astro/chain-indexer/follow/follower';
import { Following } from '@astro/chain-indexer/follow/following';

const task = workerData as FollowTask;
const say = (said: Said): void => parentPort!.postMessage(said);
const saying =
  (level: keyof Log): Log['info'] =>
  (message, fields) =>
    say({ log: { level, message, fields } });
const log: Log = { info: saying('info'), warn: saying('warn'), error: saying('error') };

const { bus: connection, rpcUrls, callsPerSecond, contracts, finalityBlocks, headEveryMs, ...rest } = task;
const { chainId } = rest;
const bus = await Bus.connect(connection);
const pool = new RpcPool(rpcUrls, { callsPerSecond });
const store = new EventStore(bus);
const view = new ChainView(contracts, finalityBlocks);
const follower = new Follower({ pool, view, store, chainId, log, headEveryMs });
const status = new FollowStatus(changed => say({ status: changed }));
const following = new Following({ ...rest, bus, store, follower, log, status });

parentPort!.once('message', () => void stop());
await following.start();
say({ begun: true });

/** Whatever it is told means that it shall end. */
async function stop(): Promise<void> {
  await following.stop();
  pool.close();
  await bus.close();
  process.exit();
}
