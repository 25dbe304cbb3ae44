import type { Exchange } from '@astro/jetstream/exchange';
import type { RequestHead } from '@astro/messages/agent';
import type { Server } from '@astro/messages/scheduling';
import { passOn } from './pass-on.js';
import type { ProgramPort } from './program-port.js';

/** What requests see of a replica: whether it takes them, how many it answers, and how busy that made it. */
export class ServerReplica {
  readonly #server: Server;
  /** Whether its lease has notice; once it had, it has. */
  readonly #hasNotice: () => boolean;
  readonly #idle = new Set<() => void>();
  #port: ProgramPort | undefined;
  #isDraining = false;
  #inFlight = 0;
  #requests = 0;
  /** Each request at once is a part of being busy. */
  #busyMs = 0;
  #countedMs = performance.now();

  constructor(
    readonly fencingToken: number,
    server: Server,
    hasNotice: () => boolean,
  ) {
    this.#server = server;
    this.#hasNotice = hasNotice;
  }

  get isDraining(): boolean {
    this.#isDraining ||= this.#hasNotice();
    return this.#isDraining;
  }

  /** Where its program can be reached now; undefined while it is started again. */
  reachedAt(port: ProgramPort | undefined): void {
    this.#port = port;
  }

  take(request: RequestHead, exchange: Exchange): void {
    const { requestsAtOnce, answerWithinMs } = this.#server;
    if (this.isDraining) return exchange.breakOff('not_taken', 'the replica stops');
    if (!this.#port) return exchange.breakOff('not_listening', 'the program is being started');
    if (this.#inFlight >= requestsAtOnce)
      return exchange.breakOff('not_taken', `${requestsAtOnce} requests are in flight`);
    this.#count();
    this.#inFlight += 1;
    this.#requests += 1;
    void passOn(request, exchange, this.#port, answerWithinMs).finally(() => {
      this.#count();
      this.#inFlight -= 1;
      if (this.#inFlight > 0) return;
      for (const resolve of this.#idle) resolve();
      this.#idle.clear();
    });
  }

  /** Takes no more requests; resolves when those in flight are answered. */
  async drained(): Promise<void> {
    this.#isDraining = true;
    if (this.#inFlight > 0) await new Promise<void>(resolve => this.#idle.add(resolve));
  }

  /** Since the last time it was asked. */
  usage(): { readonly runs: number; readonly busyMs: number } {
    this.#count();
    const usage = { runs: this.#requests, busyMs: this.#busyMs };
    this.#requests = 0;
    this.#busyMs = 0;
    return usage;
  }

  #count(): void {
    const nowMs = performance.now();
    this.#busyMs += ((nowMs - this.#countedMs) * this.#inFlight) / this.#server.requestsAtOnce;
    this.#countedMs = nowMs;
  }
}
