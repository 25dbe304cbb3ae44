import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execute = promisify(execFile);

const START_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5_000;

const relayFile = import.meta.url.endsWith('.ts') ? './port-relay.process.ts' : './port-relay.process.js';

/** Whether the agent may enter a sandbox's network, which only root may. */
export async function canReachPorts(): Promise<boolean> {
  try {
    await execute('nsenter', ['--net=/proc/self/ns/net', '--', 'true'], { timeout: START_TIMEOUT_MS });
    return true;
  } catch {
    return false;
  }
}

/** The port of a program whose sandbox shares no network with anybody. */
export class ProgramPort {
  readonly #relay: ChildProcess;
  readonly #path: string;

  private constructor(relay: ChildProcess, path: string) {
    this.#relay = relay;
    this.#path = path;
  }

  /**
   * @param processId of a process in the sandbox
   * @throws Error when its network cannot be entered
   */
  static async open(processId: number, port: number): Promise<ProgramPort> {
    const path = join(await mkdtemp(join(tmpdir(), 'astro-port-')), 'port');
    const script = fileURLToPath(new URL(relayFile, import.meta.url));
    const relay = spawn(
      'nsenter',
      [`--net=/proc/${processId}/ns/net`, '--', process.execPath, script, path, String(port)],
      { stdio: ['pipe', 'pipe', 'ignore'], env: { PATH: process.env.PATH } },
    );
    const ended = once(relay, 'close').then(() => Promise.reject(new Error('the relay has ended')));
    const ready = once(relay.stdout, 'data', { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
    try {
      await Promise.race([ready, ended]);
      ended.catch(() => undefined);
    } catch (cause) {
      relay.kill('SIGKILL');
      throw new Error('the network of the program cannot be entered', { cause });
    }
    return new ProgramPort(relay, path);
  }

  /** @throws Error when nothing listens */
  async connect(signal: AbortSignal): Promise<Socket> {
    const socket = connect({ path: this.#path, allowHalfOpen: true });
    const limit = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]);
    try {
      const closed = once(socket, 'close').then(() =>
        Promise.reject(new Error('nothing listens at the port')),
      );
      closed.catch(() => undefined);
      // The byte of the relay; what follows is the program's.
      while (socket.read(1) === null)
        await Promise.race([once(socket, 'readable', { signal: limit }), closed]);
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#relay.exitCode !== null || this.#relay.signalCode !== null) return;
    const closed = once(this.#relay, 'close');
    this.#relay.stdin!.end();
    await closed;
  }
}
