import { randomBytes } from 'node:crypto';
import { GenericContainer, Wait, type StartedTestContainer } from 'testcontainers';
import { natsImage, postgresImage } from './images.js';
import type { Ground, Infrastructure } from './infrastructure.js';
import { accessOf, operatorKit } from './keys.js';

const startLimitMs = 120_000;
const natsConfig = '/etc/nats/nats-server.conf';
const maxPayloadBytes = 8 * 1024 * 1024;

/** The servers in containers, everything they store in the state folder. Needs a container engine. */
export async function startContainers({ state, ports, log }: Ground): Promise<Infrastructure> {
  const kit = await operatorKit(state);
  const password = await state.once('postgres-password', () => randomBytes(24).toString('base64url'));
  const [postgresPort, natsPort] = [await ports.portFor('postgres'), await ports.portFor('nats')];

  log('platform', `starting containers of ${postgresImage} and ${natsImage}`);
  const postgres = await new GenericContainer(postgresImage)
    .withEnvironment({ POSTGRES_PASSWORD: password })
    .withExposedPorts({ container: 5432, host: postgresPort })
    .withBindMounts([{ source: state.folder('containers', 'postgres'), target: '/var/lib/postgresql' }])
    // The image starts a first server to make the cluster, and stops it; the second one is there to stay.
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
    .withStartupTimeout(startLimitMs)
    .start();
  const nats = await startNatsContainer(natsPort, kit.serverConfig, state.folder('containers', 'nats')).catch(
    async (error: unknown) => {
      await postgres.stop();
      throw error;
    },
  );
  return {
    ...accessOf(kit, state),
    natsUrl: `nats://${nats.getHost()}:${natsPort}`,
    databaseAdminUrl: `postgresql://postgres:${password}@${postgres.getHost()}:${postgresPort}/postgres`,
    stop: async () => {
      await nats.stop();
      await postgres.stop();
    },
  };
}

function startNatsContainer(
  port: number,
  serverConfig: string,
  store: string,
): Promise<StartedTestContainer> {
  const content = [
    'listen: "0.0.0.0:4222"',
    `max_payload: ${maxPayloadBytes}`,
    'jetstream { store_dir: "/data", sync_interval: always }',
    serverConfig,
  ].join('\n');
  return new GenericContainer(natsImage)
    .withCommand(['--config', natsConfig])
    .withCopyContentToContainer([{ content, target: natsConfig }])
    .withExposedPorts({ container: 4222, host: port })
    .withBindMounts([{ source: store, target: '/data' }])
    .withWaitStrategy(Wait.forLogMessage(/Server is ready/))
    .withStartupTimeout(startLimitMs)
    .start();
}
