// The one service instance of the benchmark `placing`: the pool's command lane and its placement loop.
import { AggregateStore } from '@astro/jetstream/aggregate-store';
import { Bus } from '@astro/jetstream/bus';
import { commandLane } from '@astro/jetstream/command-lane';
import { EventStore } from '@astro/jetstream/event-store';
import { HealthChecks } from '@astro/runtime/health';
import { PolicyLearner } from '@astro/scheduling/learning/policy-learner.loop';
import { PlacementLoop } from '@astro/scheduling/placement.loop';
import { pool } from '@astro/scheduling/pool/pool';
import { rssMb } from './measure.js';

const [servers, POOL_ID] = process.argv.slice(2);
if (!servers || !POOL_ID || !process.send) throw new Error('this is started by the benchmark "placing"');

const bus = await Bus.connect({ servers, name: 'bench-placing' });
const pools = new AggregateStore(new EventStore(bus), 'scheduling.pool', pool);
const lane = commandLane(bus, {
  context: 'scheduling',
  aggregates: { pool: pools },
  part: { durable: 'scheduling_pool_commands', filterSubjects: ['cmd.scheduling.pool.>'] },
  log: {
    info: () => undefined,
    warn: (message, fields) => console.error(message, fields),
    error: (message, fields) => console.error(message, fields),
  },
});
const learner = new PolicyLearner(pools, {
  POOL_ID,
  LEARNING_INTERVAL_MS: 30_000,
  LEARNING_TIME_LIMIT_MS: 60_000,
});
const loop = new PlacementLoop(bus, new HealthChecks(), pools, learner, {
  POOL_ID,
  TICK_MS: 100,
  PLACEMENT_PATIENCE_MS: 86_400_000,
});
// A benchmark that failed leaves nobody to be told when to end.
process.once('disconnect', () => process.exit());
await lane.start();
loop.onApplicationBootstrap();
process.send('ready');
process.once('message', () => {
  void Promise.all([learner.beforeApplicationShutdown(), loop.beforeApplicationShutdown()])
    .then(() => lane.stop())
    .then(() => bus.close())
    .then(() => process.send!({ rssMb: rssMb() }, () => process.disconnect()));
});
