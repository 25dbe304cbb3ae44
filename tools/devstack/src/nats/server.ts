import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { serverConfigOf, type OperatorKit } from '@astro/jetstream/operator-kit';
import { natsServerBinary, type Progress } from './binary.js';
import { listenersConfiguration, LOOPBACK, urlsOf, type NatsListeners } from './listeners.js';

const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 10_000;
const MAX_PAYLOAD_BYTES = 8 * 1024 * 1024;

export type NatsOptions = {
  /**
   * Holds the configuration, the log and everything JetStream stores: starting again here continues from
   * it.
   */
  readonly dir: string;
  /** 0 or absent picks a free port. */
  readonly port?: number;
  readonly listeners?: NatsListeners;
  /** Makes it demand JWTs; without one it lets everybody in. */
  readonly kit?: OperatorKit;
  /** Lines of its configuration, which count for more than those before them. */
  readonly settings?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** What JetStream may reserve on disk, in place of three quarters of what it finds to be free. */
  readonly storeMaxBytes?: number;
  readonly log?: Progress;
  /** Called when the server ends without having been asked to. */
  readonly onExit?: (reason: string) => void;
};

export type NatsServer = {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Asks it to end, waits, and kills it when it does not. */
  stop(): Promise<void>;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
};

/** Starts a NATS server with JetStream on the loopback interface unless told; resolves when it takes connections. */
export async function startNats(options: NatsOptions): Promise<NatsServer> {
  const binary = await natsServerBinary(options.log);
  const port = options.port || (await freePort());
  await mkdir(options.dir, { recursive: true });
  const config = join(options.dir, 'nats-server.conf');
  const logFile = join(options.dir, 'nats-server.log');
  await writeFile(config, configuration(options, port), { mode: 0o600 });
  const output = openSync(logFile, 'a');
  const child = spawn(binary, ['--config', config], {
    stdio: ['ignore', output, output],
    env: { ...process.env, ...options.env },
    // In a group of its own, so that Ctrl-C does not reach it before the services that depend on it have stopped.
    detached: true,
  });
  closeSync(output);
  let asked = false;
  child.once('error', error => options.log?.(`nats-server: ${error.message}`));
  child.once('exit', (code, signal) => {
    if (!asked) options.onExit?.(`nats-server ended with ${signal ?? code}`);
  });
  try {
    await accepting(child, port);
  } catch (cause) {
    asked = true;
    await end(child, 'SIGKILL');
    const last = (await readFile(logFile, 'utf8')).trim().split('\n').slice(-3).join(' | ');
    throw new Error(`nats-server did not start on port ${port}: ${last}`, { cause });
  }
  const endWith = (signal: NodeJS.Signals) => {
    asked = true;
    return end(child, signal);
  };
  return {
    url: urlsOf(port, options.listeners ?? {})[0]!,
    port,
    pid: child.pid!,
    stop: () => endWith('SIGTERM'),
    kill: () => endWith('SIGKILL'),
  };
}

/**
 * Every write is on disk before it is acknowledged: the event store's promise, at the price of an fsync
 * each.
 */
function configuration(
  { dir, listeners = {}, kit, settings, storeMaxBytes }: NatsOptions,
  port: number,
): string {
  return [
    ...listenersConfiguration(port, listeners),
    `max_payload: ${MAX_PAYLOAD_BYTES}`,
    'jetstream {',
    `  store_dir: ${JSON.stringify(join(dir, 'jetstream'))}`,
    '  sync_interval: always',
    ...(storeMaxBytes === undefined ? [] : [`  max_file_store: ${storeMaxBytes}`]),
    '}',
    ...(kit ? [serverConfigOf(kit, join(dir, 'accounts'))] : []),
    settings ?? '',
    '',
  ].join('\n');
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, LOOPBACK);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}

async function accepting(child: ChildProcess, port: number): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    if (child.pid === undefined || hasEnded(child)) throw new Error('it ended at once');
    if (await greets(port)) return;
    await new Promise(resolve => setTimeout(resolve, 25));
  }
  throw new Error(`it took no connection within ${START_TIMEOUT_MS} ms`);
}

/** A NATS server greets with INFO as soon as it is ready; JetStream has been recovered by then. */
function greets(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection({ port, host: LOOPBACK });
    const answer = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(1_000, () => answer(false));
    socket.once('data', data => answer(data.toString('latin1').startsWith('INFO ')));
    socket.once('error', () => answer(false));
    socket.once('close', () => answer(false));
  });
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || hasEnded(child)) return;
  const ended = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  child.kill(signal);
  await ended;
  clearTimeout(timer);
}
