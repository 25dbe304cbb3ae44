// The indexer of the benchmark `indexer`: what the service runs to follow a chain, with the read models that are asked
// for, and nothing beside it.
import type { Deployment } from '@astro/chain/deployment/addresses';
import { FollowStatus } from '@astro/chain-indexer/follow/follow-status';
import { followUnit } from '@astro/chain-indexer/follow/follow.unit';
import { chainEntities, chainProjections } from '@astro/chain-indexer/projections';
import { Bus } from '@astro/jetstream/bus';
import { openDatabase } from '@astro/postgres/database';
import { ProjectionLane } from '@astro/runtime/projection-lane';
import { heapMb, rssMb } from '../measure.js';

/** What the benchmark hands over, as JSON. */
export type InstanceOptions = {
  readonly servers: string;
  readonly databaseUrl: string;
  readonly rpcUrl: string;
  readonly deployment: Deployment;
  /** Names of the read models. */
  readonly projections: readonly string[];
};

if (!process.argv[2] || !process.send) throw new Error('this is started by the benchmark "indexer"');
const { servers, databaseUrl, rpcUrl, deployment, projections } = JSON.parse(
  process.argv[2],
) as InstanceOptions;
const log = {
  info: () => undefined,
  warn: (message: string, fields?: object) => console.error(message, fields),
  error: (message: string, fields?: object) => console.error(message, fields),
};
const bus = await Bus.connect({ servers, name: 'bench-indexer' });
const chosen = chainProjections.filter(({ name }) => projections.includes(name));
const orm = await openDatabase({
  url: databaseUrl,
  schema: 'chain',
  entities: chainEntities,
  projections: chainProjections,
});
const lanes = chosen.map(
  projection => new ProjectionLane({ bus, orm, projection, url: databaseUrl, entities: chainEntities, log }),
);
const { chainId, before, contracts } = deployment;
const following = followUnit({
  task: {
    bus: { servers, name: 'bench-follow' },
    rpcUrls: [rpcUrl],
    callsPerSecond: 1_000_000,
    ...{ contracts, chainId, before, finalityBlocks: undefined },
    ...{ pollMs: 100, headEveryMs: 30_000 },
  },
  log,
  status: new FollowStatus(),
}).open();

async function start(): Promise<void> {
  await Promise.all(lanes.map(lane => lane.start()));
  await following.start();
  process.send!('started');
}

async function stop(): Promise<void> {
  await following.stop();
  await Promise.all(lanes.map(lane => lane.stop()));
  await orm.close();
  await bus.close();
  process.send!({ rssMb: rssMb() }, () => process.disconnect());
}

/** What the benchmark asks for, by the word that it sends. */
const answers: Readonly<Record<string, () => void>> = {
  start: () => void start(),
  memory: () => void process.send!({ rssMb: rssMb(), heapMb: heapMb() }),
  stop: () => void stop(),
};
process.on('message', word => answers[String(word)]?.());
// A benchmark that failed leaves nobody to be told when to end.
process.once('disconnect', () => process.exit());
process.send('ready');
