import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../ports.js';
import { repositoryRoot } from '../repository.js';

type ProcessOptions = {
  /** Holds the log. */
  readonly dir: string;
  /** A free one when it is not given. */
  readonly port?: number;
  /** Called when the server ends without having been asked to. */
  readonly onExit?: (reason: string) => void;
};

export type AnvilOptions = ProcessOptions & {
  /** Seconds between blocks; without it each transaction makes a block at once. */
  readonly blockTimeSeconds?: number;
};

export type AnvilServer = {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Asks it to write its chain down and end, and kills it when it does not. */
  stop(): Promise<void>;
};

/** The one that every local Anvil has: its keys are known to everybody, and hold nothing of value. */
export const anvilMnemonic = 'test test test test test test test test test test test junk';

/** Of the second of its accounts, which settles where the protocol is deployed as in `deploy/chain/local.json`. */
export const anvilSettlerKey = '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d';

export const localChainId = 31_337;
export const chainArguments: readonly string[] = [
  ...['--chain-id', String(localChainId), '--mnemonic', anvilMnemonic],
];

const startTimeoutMs = 20_000;
const stopTimeoutMs = 10_000;
const host = '127.0.0.1';

/** Not npm's launcher of it, which does not pass signals on. */
function binary(): string {
  const machine = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const file = process.platform === 'win32' ? 'anvil.exe' : 'anvil';
  const path = join(repositoryRoot, `node_modules/@foundry-rs/anvil-${machine}/bin`, file);
  if (!existsSync(path)) throw new Error(`there is no Anvil for ${machine}: ${path} is missing`);
  return path;
}

/**
 * Starts a chain on the loopback interface; resolves when it answers. It is on disk, in `dir`, every second, and
 * starting again there continues from it.
 */
export function startAnvil(options: AnvilOptions): Promise<AnvilServer> {
  const { dir, blockTimeSeconds } = options;
  const state = ['--state', join(dir, 'chain.json'), '--state-interval', '1', '--preserve-historical-states'];
  const pace = blockTimeSeconds === undefined ? [] : ['--block-time', String(blockTimeSeconds)];
  return launchAnvil(options, [...state, ...pace]);
}

/** Starts Anvil with more arguments than those that every local chain has; resolves when it answers. */
export async function launchAnvil(options: ProcessOptions, more: readonly string[]): Promise<AnvilServer> {
  const { dir } = options;
  const port = options.port ?? (await freePort());
  mkdirSync(dir, { recursive: true });
  const logFile = join(dir, 'anvil.log');
  const output = openSync(logFile, 'a');
  const args = ['--host', host, '--port', String(port), '--silent', ...chainArguments, ...more];
  // In a group of its own, so that Ctrl-C does not reach it before the services that depend on it have stopped.
  const child = spawn(binary(), args, { stdio: ['ignore', output, output], detached: true });
  closeSync(output);
  let asked = false;
  child.once('exit', (code, signal) => {
    if (!asked) options.onExit?.(`anvil ended with ${signal ?? code}`);
  });
  const stop = async (signal: NodeJS.Signals) => {
    asked = true;
    await end(child, signal);
  };
  const url = `http://${host}:${port}`;
  try {
    await answering(child, url);
  } catch (cause) {
    await stop('SIGKILL');
    const last = readFileSync(logFile, 'utf8').trim().split('\n').slice(-3).join(' | ');
    throw new Error(`anvil did not start on port ${port}: ${last}`, { cause });
  }
  return { url, port, pid: child.pid!, stop: () => stop('SIGINT') };
}

async function answering(child: ChildProcess, url: string): Promise<void> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] });
  const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
  const deadline = Date.now() + startTimeoutMs;
  let last: unknown;
  while (Date.now() < deadline) {
    if (child.pid === undefined || hasEnded(child)) throw new Error('it ended at once', { cause: last });
    try {
      const { ok } = await fetch(url, { ...request, signal: AbortSignal.timeout(1_000) });
      if (ok) return;
    } catch (error) {
      last = error;
    }
    await sleep(25);
  }
  throw new Error(`it did not answer within ${startTimeoutMs} ms`, { cause: last });
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || hasEnded(child)) return;
  const ended = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  child.kill(signal);
  await ended;
  clearTimeout(timer);
}
