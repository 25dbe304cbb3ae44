import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { serverConfigOf, type OperatorKit } from '@astro/jetstream/operator-kit';
import { GenericContainer, Wait, type StartedTestContainer } from 'testcontainers';
import { BlockMaker, pacedArguments } from '../anvil/block-maker.js';
import { chainFileIn } from '../anvil/paced-chain.js';
import { chainArguments } from '../anvil/server.js';
import { anvilImage, natsImage, postgresImage } from './images.js';
import type { Ground, Infrastructure } from './infrastructure.js';
import { accessOf, operatorKit } from './keys.js';

const startLimitMs = 120_000;
const natsConfig = '/etc/nats/nats-server.conf';
const maxPayloadBytes = 8 * 1024 * 1024;

/** The servers in containers, everything they store in the state folder. Needs a container engine. */
export async function startContainers(ground: Ground): Promise<Infrastructure> {
  const { state, ports, log } = ground;
  const kit = operatorKit(state);
  const password = await state.once('postgres-password', () => randomBytes(24).toString('base64url'));
  const [postgresPort, natsPort] = [await ports.portFor('postgres'), await ports.portFor('nats')];

  log(
    'platform',
    `starting containers of ${[postgresImage, natsImage, ...(ground.needsChain ? [anvilImage] : [])].join(', ')}`,
  );
  const running: { stop(): Promise<unknown> }[] = [];
  const stop = async () => {
    for (const server of running.splice(0).reverse()) await server.stop();
  };
  try {
    const postgres = await startPostgresContainer(
      postgresPort,
      password,
      state.folder('containers', 'postgres'),
    );
    running.push(postgres);
    const nats = await startNatsContainer(natsPort, kit, state.folder('containers', 'nats'));
    running.push(nats);
    const natsUrl = `nats://${nats.getHost()}:${natsPort}`;
    const chain = ground.needsChain ? await startAnvilContainer(ground) : undefined;
    if (chain) running.push(chain);
    return {
      ...accessOf(kit, state),
      natsUrl,
      natsPublicUrl: natsUrl,
      databaseAdminUrl: `postgresql://postgres:${password}@${postgres.getHost()}:${postgresPort}/postgres`,
      chain: chain && { rpcUrl: chain.url, addressesFile: undefined },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const startPostgresContainer = (
  port: number,
  password: string,
  store: string,
): Promise<StartedTestContainer> =>
  new GenericContainer(postgresImage)
    .withEnvironment({ POSTGRES_PASSWORD: password })
    .withExposedPorts({ container: 5432, host: port })
    .withBindMounts([{ source: store, target: '/var/lib/postgresql' }])
    // The image starts a first server to make the cluster, and stops it; the second one is there to stay.
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
    .withStartupTimeout(startLimitMs)
    .start();

/** The chain is written down here, by whoever makes its blocks, and read by the container. */
async function startAnvilContainer({ state, ports, log }: Ground) {
  const port = await ports.portFor('anvil');
  const dir = state.folder('containers', 'anvil');
  const stateFile = chainFileIn(dir);
  const load = existsSync(stateFile) ? chainFileIn('/chain') : undefined;
  const container = await new GenericContainer(anvilImage)
    .withEntrypoint(['anvil'])
    .withCommand(['--host', '0.0.0.0', ...chainArguments, ...pacedArguments(load)])
    .withExposedPorts({ container: 8545, host: port })
    .withBindMounts([{ source: dir, target: '/chain', mode: 'ro' }])
    .withWaitStrategy(Wait.forLogMessage(/Listening on/))
    .withStartupTimeout(startLimitMs)
    .start();
  const url = `http://${container.getHost()}:${port}`;
  const maker = await BlockMaker.start({ url, stateFile, log: line => log('anvil', line) }).catch(
    async (error: unknown) => {
      await container.stop();
      throw error;
    },
  );
  return {
    url,
    stop: async () => {
      await maker.stop();
      await container.stop();
    },
  };
}

function startNatsContainer(port: number, kit: OperatorKit, store: string): Promise<StartedTestContainer> {
  const content = [
    'listen: "0.0.0.0:4222"',
    `max_payload: ${maxPayloadBytes}`,
    'jetstream { store_dir: "/data", sync_interval: always }',
    serverConfigOf(kit, '/data/accounts'),
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
