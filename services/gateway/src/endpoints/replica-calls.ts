import { Bus } from '@astro/jetstream/bus';
import { type Exchange, ExchangeBroken } from '@astro/jetstream/exchange';
import { ExchangeCaller } from '@astro/jetstream/exchange-caller';
import type { AnswerHead, RequestHead } from '@astro/messages/agent';
import { breaker } from '@astro/runtime/breaker';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Problem, type ProblemCode } from '../http/problem.js';
import { chooseReplica } from './choose-replica.js';
import type { Endpoint, ServingReplica } from './endpoint-directory.js';

/** Replicas that one request is tried on. */
const ATTEMPTS_MAX = 3;
const BREAKERS_MAX = 10_000;
/** The agent keeps to the time of an answer; this is for one that does not. */
const GRACE_MS = 5_000;
/** Those that may be done twice, by RFC 9110. */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']);

export type Request = {
  readonly head: Omit<RequestHead, 'leaseId' | 'fencingToken'>;
  /** Sends the body; called when a replica takes it, so that it is called once. */
  send(exchange: Exchange): Promise<void>;
  readonly signal: AbortSignal;
};
export type Answered = { readonly exchange: Exchange; readonly answer: AnswerHead };

type Breaker = ReturnType<typeof breakerOf>;

/** Requests to replicas: each on the one that has least to do, and on another when the first did not take it. */
@Injectable()
export class ReplicaCalls implements OnModuleDestroy {
  private readonly caller: ExchangeCaller;
  private readonly inFlight = new Map<string, number>();
  private readonly breakers = new LRUCache<string, Breaker>({
    max: BREAKERS_MAX,
    dispose: gone => gone.shutdown(),
  });

  constructor(bus: Bus) {
    this.caller = new ExchangeCaller(bus);
  }

  onModuleDestroy(): void {
    this.caller.close();
    this.breakers.clear();
  }

  /** @throws Problem when no replica has answered; what the client sent is then not known to have been done */
  async answerOf(endpoint: Endpoint, request: Request): Promise<Answered> {
    const tried = new Set<string>();
    let last: ProblemCode = endpoint.replicas.length > 0 ? 'service_busy' : 'service_unavailable';
    while (tried.size < ATTEMPTS_MAX) {
      const replica = this.choose(endpoint, tried);
      if (!replica) break;
      tried.add(replica.leaseId);
      try {
        return await this.breakerOf(replica.leaseId).fire(() => this.attempt(endpoint, replica, request));
      } catch (error) {
        request.signal.throwIfAborted();
        last = problemOf(error);
        if (!mayGoElsewhere(error, request)) break;
      }
    }
    throw new Problem(last, { headers: { 'retry-after': '1' } });
  }

  private choose({ replicas, server }: Endpoint, tried: ReadonlySet<string>): ServingReplica | undefined {
    const candidates = replicas
      .filter(({ leaseId }) => !tried.has(leaseId) && !this.breakerOf(leaseId).opened)
      .map(replica => ({ ...replica, inFlight: this.inFlight.get(replica.leaseId) ?? 0 }))
      .filter(({ inFlight }) => inFlight < server.requestsAtOnce);
    return chooseReplica(candidates, Math.random);
  }

  private async attempt(
    { server }: Endpoint,
    { leaseId, nodeId, fencingToken }: ServingReplica,
    { head, send, signal }: Request,
  ): Promise<Answered> {
    signal.throwIfAborted();
    const exchange = this.caller.call(nodeId, { ...head, leaseId, fencingToken });
    this.count(leaseId, exchange);
    const withdraw = () => exchange.breakOff('withdrawn', 'the client has gone');
    signal.addEventListener('abort', withdraw, { once: true });
    exchange.ended.addEventListener('abort', () => signal.removeEventListener('abort', withdraw));
    let late: NodeJS.Timeout | undefined;
    try {
      if (head.hasBody) {
        const sending = exchange.welcomed().then(() => send(exchange));
        // A program may answer before it has read all.
        sending.catch(() => undefined);
        await Promise.race([sending, exchange.answered()]);
      }
      const giveUp = () => exchange.breakOff('late', 'the node has not answered');
      late = setTimeout(giveUp, server.answerWithinMs + GRACE_MS);
      return { exchange, answer: await exchange.answered() };
    } catch (error) {
      exchange.breakOff('withdrawn', 'the request has failed');
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  private count(leaseId: string, { ended }: Exchange): void {
    this.inFlight.set(leaseId, (this.inFlight.get(leaseId) ?? 0) + 1);
    ended.addEventListener('abort', () => {
      const left = (this.inFlight.get(leaseId) ?? 1) - 1;
      if (left > 0) this.inFlight.set(leaseId, left);
      else this.inFlight.delete(leaseId);
    });
  }

  private breakerOf(leaseId: string): Breaker {
    const known = this.breakers.get(leaseId);
    if (known) return known;
    const made = breakerOf(leaseId);
    this.breakers.set(leaseId, made);
    return made;
  }
}

/** Each replica has its own, because it is what can be down; what clients or the load have done opens none. */
const breakerOf = (leaseId: string) =>
  breaker(`replica ${leaseId}`, (attempt: () => Promise<Answered>) => attempt(), {
    timeout: false,
    volumeThreshold: 5,
    resetTimeout: 2_000,
    errorFilter: (error: unknown) =>
      !(error instanceof ExchangeBroken) || error.breach === 'withdrawn' || error.breach === 'not_taken',
  });

/** Where it did not reach the program any request may; else one that may be done twice and whose body is not gone. */
function mayGoElsewhere(error: unknown, { head }: Request): boolean {
  if (isOpen(error)) return true;
  if (!(error instanceof ExchangeBroken)) return false;
  switch (error.breach) {
    case 'not_here':
    case 'not_taken':
    case 'not_listening':
      return true;
    case 'broken_off':
    case 'lost':
      return idempotent.has(head.method) && !head.hasBody;
    case 'late':
    case 'withdrawn':
    case 'unspecified':
      return false;
  }
}

/** @throws what is no failure of a replica */
function problemOf(error: unknown): ProblemCode {
  if (isOpen(error)) return 'service_unavailable';
  if (!(error instanceof ExchangeBroken)) throw error;
  switch (error.breach) {
    case 'not_here':
    case 'not_listening':
      return 'service_unavailable';
    case 'not_taken':
      return 'service_busy';
    case 'late':
      return 'service_timed_out';
    case 'broken_off':
    case 'lost':
    case 'withdrawn':
    case 'unspecified':
      return 'service_failed';
  }
}

const isOpen = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'EOPENBREAKER';
