import { setTimeout as sleep } from 'node:timers/promises';
import { startNats, type NatsServer } from '../nats/server.js';
import { startPostgres } from '../postgres/server.js';
import type { Ground, Infrastructure } from './infrastructure.js';
import { accessOf, operatorKit } from './keys.js';

const longestDelayMs = 10_000;

/** Real servers as processes of this machine, everything they store in the state folder. */
export async function startEmbedded(ground: Ground): Promise<Infrastructure> {
  const { state, ports, log } = ground;
  const kit = await operatorKit(state);
  log('platform', 'starting PostgreSQL and NATS');
  const [postgres, nats] = await settled([
    startPostgres({ dir: state.folder('postgres'), port: await ports.portFor('postgres') }),
    KeptNats.start(ground, { serverConfig: kit.serverConfig, port: await ports.portFor('nats') }),
  ]);
  return {
    ...accessOf(kit, state),
    natsUrl: nats.url,
    databaseAdminUrl: postgres.adminUrl,
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

/** A NATS server that is started again, on the same port and store, when it ends unasked. */
class KeptNats {
  private server: NatsServer | undefined;
  private stopped = false;

  private constructor(
    private readonly ground: Ground,
    private readonly options: { readonly serverConfig: string; readonly port: number },
  ) {}

  static async start(ground: Ground, options: { serverConfig: string; port: number }): Promise<KeptNats> {
    const nats = new KeptNats(ground, options);
    await nats.spawn();
    return nats;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.options.port}`;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.server?.stop();
    if (this.server) this.ground.register.remove(this.server.pid);
  }

  private async spawn(): Promise<void> {
    const { state, log, register } = this.ground;
    const server = await startNats({
      dir: state.folder('nats'),
      port: this.options.port,
      kit: { serverConfig: this.options.serverConfig },
      log: line => log('nats', line),
      onExit: reason => void this.revive(reason),
    });
    this.server = server;
    register.add('nats', server.pid);
    if (this.stopped) await server.stop();
  }

  /** Tries for as long as the platform runs, ever more slowly: services reconnect when it is back. */
  private async revive(reason: string): Promise<void> {
    const { log, register } = this.ground;
    if (this.server) register.remove(this.server.pid);
    for (let attempt = 0; !this.stopped; attempt++) {
      log('nats', `${reason}; starting it again`);
      try {
        return await this.spawn();
      } catch (error) {
        log('nats', String(error));
        await sleep(Math.min(200 * 2 ** attempt, longestDelayMs));
      }
    }
  }
}
