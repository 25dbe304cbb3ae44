// Emmett does what the benchmark `pipeline` does: each command is decided on the state of its aggregate and leads
// to one event that is on the disk when the answer comes. Prints commands a second.
import { randomUUID } from 'node:crypto';

const [url, task] = process.argv.slice(2);
const aggregates = 500;
const callers = 128;
const warmUpMs = 1_000;
const measureMs = 5_000;

// Their names are not literals, because the packages are there only once this benchmark has installed them.
const load = name => import(`@event-driven-io/${name}`);
const [{ CommandHandler }, { getPostgreSQLEventStore }] = await Promise.all(
  ['emmett', 'emmett-postgresql'].map(load),
);

// A handler holds a connection while it looks at the schema through another one: with more handlers at once than
// connections, the first of them would wait for ever. The schema is made beforehand instead.
const schema = { autoMigration: task === 'prepare' ? 'CreateOrUpdate' : 'None' };
const store = getPostgreSQLEventStore(url, { schema });
if (task === 'prepare') await store.schema.migrate();
else console.log(await measure());
await store.close();

async function measure() {
  const handle = CommandHandler({ initialState: () => 0, evolve: count => count + 1 });
  const ids = Array.from({ length: aggregates }, () => randomUUID());
  let count = 0;
  const run = { isOver: false };
  const call = async () => {
    while (!run.isOver) {
      const id = ids[count++ % ids.length];
      await handle(store, `tenant-${id}`, guests => ({
        type: 'TenantRegistered',
        data: { tenantId: id, name: `guest ${guests}` },
      }));
    }
  };
  const calling = Promise.all(Array.from({ length: callers }, call));
  await pause(warmUpMs);
  const [startedMs, before] = [performance.now(), count];
  await pause(measureMs);
  const rate = ((count - before) * 1_000) / (performance.now() - startedMs);
  run.isOver = true;
  await calling;
  return rate;
}

function pause(durationMs) {
  return new Promise(resolve => setTimeout(resolve, durationMs));
}
