import { setTimeout as sleep } from 'node:timers/promises';
import { Endpoint, type EndpointOptions, type RpcAnswer, type RpcCall } from './endpoint.js';
import { ChainUnavailable, EndpointFailed } from './failures.js';

export type RpcPoolOptions = EndpointOptions & {
  /** Times that all endpoints are tried before a call fails: 4 unless told. */
  readonly rounds?: number;
};

const defaultRounds = 4;
const betweenRounds = { baseMs: 100, maxMs: 2_000 };
const maxEndpoints = 16;

/**
 * Several JSON-RPC endpoints of one chain. What one of them fails to answer the next is asked; the one that answered
 * last is asked first, so that its view of the chain stays one view while it works.
 */
export class RpcPool {
  readonly endpoints: readonly Endpoint[];
  readonly #rounds: number;
  #preferred = 0;

  /** @param urls in the order of preference, 1 to 16 */
  constructor(urls: readonly string[], options: RpcPoolOptions = {}) {
    if (urls.length === 0 || urls.length > maxEndpoints)
      throw new RangeError(`urls: must be 1 to ${maxEndpoints}, not ${urls.length}`);
    this.endpoints = urls.map(url => new Endpoint(url, options));
    this.#rounds = options.rounds ?? defaultRounds;
  }

  /** @throws ChainUnavailable @throws RpcRefused */
  call(method: string, ...params: readonly unknown[]): Promise<unknown> {
    return this.withEndpoint(endpoint => endpoint.call(method, ...params));
  }

  /** Answers in the order of the calls, all of one endpoint. @throws ChainUnavailable */
  batch(calls: readonly RpcCall[]): Promise<readonly RpcAnswer[]> {
    return this.withEndpoint(endpoint => endpoint.batch(calls));
  }

  /**
   * Does work that must see one endpoint's view of the chain, from its beginning again on the next endpoint when this
   * one fails. @throws ChainUnavailable, and whatever else `work` throws
   */
  async withEndpoint<T>(work: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    const failures: unknown[] = [];
    for (let round = 0; round < this.#rounds; round++) {
      if (round > 0) await sleep(Math.min(betweenRounds.baseMs * 2 ** round, betweenRounds.maxMs));
      for (const index of this.#order()) {
        try {
          const result = await work(this.endpoints[index]!);
          this.#preferred = index;
          return result;
        } catch (error) {
          if (!(error instanceof EndpointFailed)) throw error;
          failures.push(error);
        }
      }
    }
    throw new ChainUnavailable(failures.slice(-this.endpoints.length));
  }

  close(): void {
    for (const endpoint of this.endpoints) endpoint.close();
  }

  /** From the preferred one on; those that would refuse at once come last. */
  #order(): readonly number[] {
    const count = this.endpoints.length;
    const inTurn = Array.from({ length: count }, (_, step) => (this.#preferred + step) % count);
    const isReady = (index: number) => this.endpoints[index]!.isReady;
    return [...inTurn.filter(isReady), ...inTurn.filter(index => !isReady(index))];
  }
}
