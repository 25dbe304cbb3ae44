import { setTimeout as sleep } from 'node:timers/promises';
import type { Ground } from './infrastructure.js';

const longestDelayMs = 10_000;

/** A server process as its starter gives it. */
export type RunningServer = {
  readonly pid: number;
  stop(): Promise<void>;
};

/** A server that is started again, on the same port and store, when it ends unasked. */
export class KeptServer<Server extends RunningServer> {
  private server: Server | undefined;
  private stopped = false;

  private constructor(
    private readonly name: string,
    private readonly ground: Ground,
    private readonly spawn: (onExit: (reason: string) => void) => Promise<Server>,
  ) {}

  /** @param spawn starts it once, and calls `onExit` when it then ends without having been asked to. */
  static async start<Server extends RunningServer>(
    name: string,
    ground: Ground,
    spawn: (onExit: (reason: string) => void) => Promise<Server>,
  ): Promise<KeptServer<Server>> {
    const kept = new KeptServer(name, ground, spawn);
    await kept.launch();
    return kept;
  }

  /** Of the server as it was started last. */
  get current(): Server {
    if (!this.server) throw new Error(`${this.name} has never been started`);
    return this.server;
  }

  /** Sends a signal, as an accident would; what ends by it is started again. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.current.pid, signal);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (!this.server) return;
    await this.server.stop();
    this.ground.register.remove(this.server.pid);
  }

  private async launch(): Promise<void> {
    const server = await this.spawn(reason => void this.revive(reason));
    this.server = server;
    this.ground.register.add(this.name, server.pid);
    if (this.stopped) await server.stop();
  }

  /** Tries for as long as the platform runs, ever more slowly: services reconnect when it is back. */
  private async revive(reason: string): Promise<void> {
    const { log, register } = this.ground;
    if (this.server) register.remove(this.server.pid);
    for (let attempt = 0; !this.stopped; attempt++) {
      log(this.name, `${reason}; starting it again`);
      try {
        return await this.launch();
      } catch (error) {
        log(this.name, String(error));
        await sleep(Math.min(200 * 2 ** attempt, longestDelayMs));
      }
    }
  }
}
