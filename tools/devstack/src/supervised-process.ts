import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogSink } from './log.js';
import type { ProcessRegister } from './process-register.js';
import { repositoryRoot } from './repository.js';

export type ProcessPlan = {
  readonly name: string;
  /** JavaScript file, run by the Node that runs this. */
  readonly script: string;
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Answers 200 when the process can do its work. */
  readonly readyUrl: string;
};

const shortestDelayMs = 200;
const longestDelayMs = 10_000;
/** A process that has run this long has recovered: its next restart is quick again. */
const recoveredAfterMs = 30_000;
const stopLimitMs = 20_000;
const readyLimitMs = 60_000;
const readyPollMs = 50;
const readyAnswerLimitMs = 2_000;
/** A process that ends this often before it was ever ready is misconfigured, not unlucky. */
const failuresBeforeFirstReady = 3;
const keptLines = 30;
/** Compiled once for all starts: a quarter of what a service's start costs. */
const compileCache = join(repositoryRoot, 'node_modules/.cache/astro/compiled');

/** How long to wait before restart number `restarts`, counted from 1: doubling, up to a bound. */
export const restartDelayMs = (restarts: number) =>
  Math.min(shortestDelayMs * 2 ** (restarts - 1), longestDelayMs);

/**
 * One process that is kept running: when it ends unasked it is started again after a delay that grows with each
 * failure in a row. Once it was ready it is never given up.
 */
export class SupervisedProcess {
  private child: ChildProcess | undefined;
  private wanted = false;
  private failures = 0;
  private wasReady = false;
  private readonly lines: string[] = [];
  private pendingRestart: AbortController | undefined;
  /** For the next start alone. */
  private nextEnv: Readonly<Record<string, string>> = {};

  constructor(
    private readonly plan: ProcessPlan,
    private readonly log: LogSink,
    private readonly register: ProcessRegister,
  ) {}

  get name(): string {
    return this.plan.name;
  }

  /** Undefined while it is not running. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Gives the next start, and none after it, something more in its environment. */
  prepare(env: Readonly<Record<string, string>>): void {
    this.nextEnv = env;
  }

  /** Resolves when it is ready. @throws with its last lines when it never gets there; it is stopped then. */
  async start(signal?: AbortSignal): Promise<void> {
    this.wanted = true;
    this.failures = 0;
    this.wasReady = false;
    this.spawn();
    try {
      await this.untilReady(signal);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Asks it to end and waits; after a limit it is killed. It stays down. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.wanted = false;
    this.pendingRestart?.abort();
    const { child } = this;
    if (!child) return;
    const ended = new Promise<void>(resolve => child.once('close', () => resolve()));
    child.kill(signal);
    const limit = setTimeout(() => {
      this.log(this.name, `did not stop within ${stopLimitMs} ms and is killed`);
      child.kill('SIGKILL');
    }, stopLimitMs);
    await ended;
    clearTimeout(limit);
  }

  /** Sends a signal, as an operator or an accident would; what follows is up to the process and its supervision. */
  kill(signal: NodeJS.Signals): void {
    if (!this.child) throw new Error(`${this.name} is not running`);
    this.child.kill(signal);
  }

  /** Resolves when GET /health/ready answers 200. */
  async untilReady(signal?: AbortSignal): Promise<void> {
    const deadline = Date.now() + readyLimitMs;
    let last = 'no answer';
    while (Date.now() < deadline) {
      signal?.throwIfAborted();
      if (!this.wanted) throw new Error(`${this.name} was stopped before it was ready`);
      if (!this.wasReady && this.failures >= failuresBeforeFirstReady)
        throw this.failed('ends again and again');
      const answer = await askWhetherReady(this.plan.readyUrl);
      if (answer.ready) {
        this.wasReady = true;
        return;
      }
      last = answer.detail;
      await sleep(readyPollMs);
    }
    throw this.failed(`was not ready after ${readyLimitMs} ms (${last})`);
  }

  private failed(what: string): Error {
    return new Error(`${this.name} ${what}. Its last lines:\n${this.lines.join('\n')}`);
  }

  private spawn(): void {
    const { name, script, args = [], env } = this.plan;
    const child = spawn(process.execPath, ['--enable-source-maps', script, ...args], {
      env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...env, ...this.nextEnv },
      stdio: ['ignore', 'pipe', 'pipe'],
      // In a process group of its own: an interrupt typed at the terminal reaches the supervisor only, which then
      // stops everything in order.
      detached: true,
    });
    this.child = child;
    this.nextEnv = {};
    const startedAt = Date.now();
    if (child.pid !== undefined) this.register.add(name, child.pid);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', line => this.say(line));
    }
    child.once('error', error => this.say(`could not be started: ${error.message}`));
    child.once('close', (code, signal) => this.ended(child, startedAt, signal ?? `code ${code}`));
  }

  private say(line: string): void {
    this.lines.push(line);
    if (this.lines.length > keptLines) this.lines.shift();
    this.log(this.name, line);
  }

  private ended(child: ChildProcess, startedAt: number, how: string): void {
    if (child.pid !== undefined) this.register.remove(child.pid);
    this.child = undefined;
    if (!this.wanted) return;
    if (Date.now() - startedAt > recoveredAfterMs) this.failures = 0;
    this.failures++;
    const delayMs = restartDelayMs(this.failures);
    this.say(`ended with ${how}; restarts in ${delayMs} ms`);
    this.pendingRestart = new AbortController();
    const { signal } = this.pendingRestart;
    const timer = setTimeout(() => this.spawn(), delayMs);
    signal.addEventListener('abort', () => clearTimeout(timer));
  }
}

type Readiness = { readonly ready: true } | { readonly ready: false; readonly detail: string };

async function askWhetherReady(url: string): Promise<Readiness> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(readyAnswerLimitMs) });
    const body = await response.text();
    return response.ok
      ? { ready: true }
      : { ready: false, detail: `${response.status} ${body.slice(0, 500)}` };
  } catch (error) {
    const { cause } = error as { cause?: Error };
    return { ready: false, detail: cause?.message ?? String(error) };
  }
}
