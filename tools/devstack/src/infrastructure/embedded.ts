import { hubConfigOf } from '@astro/jetstream/leaf';
import type { OperatorKit } from '@astro/jetstream/operator-kit';
import { startPacedChain } from '../anvil/paced-chain.js';
import { startLeaf } from '../nats/leaf.js';
import { natsListenersIn, urlsOf } from '../nats/listeners.js';
import { startNats } from '../nats/server.js';
import { startPostgres } from '../postgres/server.js';
import type { Ground, Infrastructure } from './infrastructure.js';
import { KeptServer } from './kept-server.js';
import { accessOf, operatorKit } from './keys.js';

const host = '127.0.0.1';

/** Real servers as processes of this machine, everything they store in the state folder. */
export async function startEmbedded(ground: Ground): Promise<Infrastructure> {
  const { state, ports, log } = ground;
  const kit = operatorKit(state);
  const listeners = natsListenersIn(process.env);
  const [postgresPort, natsPort] = [await ports.portFor('postgres'), await ports.portFor('nats')];
  const leafPort = ground.leafServers > 0 ? await ports.portFor('nats-leaves') : undefined;
  const anvilPort = ground.needsChain ? await ports.portFor('anvil') : undefined;
  log('platform', `starting PostgreSQL${anvilPort === undefined ? ' and NATS' : ', NATS and Anvil'}`);
  const [postgres, nats, leaves, anvil] = await settled([
    KeptServer.start('postgres', ground, onExit =>
      startPostgres({ dir: state.folder('postgres'), port: postgresPort, onExit }),
    ),
    KeptServer.start('nats', ground, onExit =>
      startNats({
        dir: state.folder('nats'),
        port: natsPort,
        kit,
        ...(leafPort === undefined ? {} : { settings: hubConfigOf(`${host}:${leafPort}`) }),
        listeners,
        ...(ground.natsStoreMaxBytes === undefined ? {} : { storeMaxBytes: ground.natsStoreMaxBytes }),
        log: line => log('nats', line),
        onExit,
      }),
    ),
    leafPort === undefined ? Promise.resolve(undefined) : keptLeaves(ground, kit, leafPort),
    anvilPort === undefined ? Promise.resolve(undefined) : keptAnvil(ground, anvilPort),
  ]);
  const servers = { nats, postgres, anvil };
  return {
    ...accessOf(kit, state),
    natsUrl: nats.current.url,
    natsPublicUrl: (leaves?.urls ?? urlsOf(natsPort, listeners, listeners.publicHost)).join(','),
    databaseAdminUrl: postgres.current.adminUrl,
    chain: anvil && { rpcUrl: anvil.current.url, addressesFile: undefined },
    signal(server, signal) {
      const struck = servers[server];
      if (!struck) throw new Error(`${server} is not part of this platform`);
      struck.signal(signal);
    },
    stop: async () => {
      await anvil?.stop();
      await leaves?.stop();
      await nats.stop();
      await postgres.stop();
    },
  };
}

/** They wait for the server that stores as they would after a crash of it. */
async function keptLeaves(ground: Ground, kit: OperatorKit, hubPort: number) {
  const names = Array.from({ length: ground.leafServers }, (_, index) => `nats-leaf-${index + 1}`);
  const plans = [];
  for (const name of names) plans.push({ name, port: await ground.ports.portFor(name) });
  const hubUrl = `nats://${host}:${hubPort}`;
  const leaves = await settled(
    plans.map(({ name, port }) =>
      KeptServer.start(name, ground, onExit =>
        startLeaf({ dir: ground.state.folder(name), port, kit, hubUrl, onExit }),
      ),
    ),
  );
  return {
    urls: leaves.map(({ current }) => current.url),
    stop: async () => void (await Promise.all(leaves.map(leaf => leaf.stop()))),
  };
}

const keptAnvil = (ground: Ground, port: number) =>
  KeptServer.start('anvil', ground, onExit =>
    startPacedChain({
      dir: ground.state.folder('anvil'),
      port,
      log: line => ground.log('anvil', line),
      onExit,
    }),
  );

type Stoppable = { stop(): Promise<void> } | undefined;

/** All, or none: when one could not be started the others are stopped again. */
async function settled<const Servers extends readonly Promise<Stoppable>[]>(
  starting: Servers,
): Promise<{ -readonly [Place in keyof Servers]: Awaited<Servers[Place]> }> {
  const results = await Promise.allSettled(starting);
  const failed = results.find(result => result.status === 'rejected');
  if (!failed) return Promise.all(starting);
  for (const result of results) if (result.status === 'fulfilled') await result.value?.stop();
  throw failed.reason;
}
