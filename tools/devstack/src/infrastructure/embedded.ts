import { startNats } from '../nats/server.js';
import { startPostgres } from '../postgres/server.js';
import type { Ground, Infrastructure } from './infrastructure.js';
import { KeptServer } from './kept-server.js';
import { accessOf, operatorKit } from './keys.js';

/** Real servers as processes of this machine, everything they store in the state folder. */
export async function startEmbedded(ground: Ground): Promise<Infrastructure> {
  const { state, ports, log } = ground;
  const kit = await operatorKit(state);
  const [postgresPort, natsPort] = [await ports.portFor('postgres'), await ports.portFor('nats')];
  log('platform', 'starting PostgreSQL and NATS');
  const [postgres, nats] = await settled([
    KeptServer.start('postgres', ground, onExit =>
      startPostgres({ dir: state.folder('postgres'), port: postgresPort, onExit }),
    ),
    KeptServer.start('nats', ground, onExit =>
      startNats({
        dir: state.folder('nats'),
        port: natsPort,
        kit: { serverConfig: kit.serverConfig },
        ...(ground.natsStoreMaxBytes === undefined ? {} : { storeMaxBytes: ground.natsStoreMaxBytes }),
        log: line => log('nats', line),
        onExit,
      }),
    ),
  ]);
  const servers = { nats, postgres };
  return {
    ...accessOf(kit, state),
    natsUrl: nats.current.url,
    databaseAdminUrl: postgres.current.adminUrl,
    signal: (server, signal) => servers[server].signal(signal),
    stop: async () => {
      await nats.stop();
      await postgres.stop();
    },
  };
}

type Stoppable = { stop(): Promise<void> };

/** Both, or neither: when one could not be started the other is stopped again. */
async function settled<A extends Stoppable, B extends Stoppable>(
  starting: [Promise<A>, Promise<B>],
): Promise<[A, B]> {
  const results = await Promise.allSettled(starting);
  const failed = results.find(result => result.status === 'rejected');
  if (!failed) return Promise.all(starting);
  for (const result of results) if (result.status === 'fulfilled') await result.value.stop();
  throw failed.reason;
}
