import { readFileSync } from 'node:fs';
import { Bus } from '@astro/jetstream/bus';
import { ensureStreams } from '@astro/jetstream/streams';
import { provision } from '@astro/postgres/provision';
import type { ProvisionPlan } from './secrets.js';

/** In the container `provision`: the argument is the plan that `prepare-secrets` wrote. May be repeated. */
const [, , file] = process.argv;
if (!file) throw new Error('Which plan?');
const plan = JSON.parse(readFileSync(file, 'utf8')) as ProvisionPlan;

await provision(plan.databaseAdminUrl, plan.database);
console.log(`the database ${plan.database.database} is ready`);

const bus = await Bus.connect({
  servers: plan.natsUrl,
  name: 'provision',
  credentials: plan.natsCredentials,
});
try {
  await ensureStreams(bus, { replicas: plan.natsReplicas });
  console.log(`the streams are ready, ${plan.natsReplicas} replicas of each`);
} finally {
  await bus.close();
}
