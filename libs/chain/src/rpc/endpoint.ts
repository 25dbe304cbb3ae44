import CircuitBreaker from 'opossum';
import { EndpointFailed, RpcRefused } from './failures.js';
import { RateLimit } from './rate-limit.js';

export type RpcCall = { readonly method: string; readonly params: readonly unknown[] };

export type EndpointOptions = {
  /** Of one HTTP request: 10 s unless told. */
  readonly timeoutMs?: number;
  /** 500 unless told; a batch of ten counts as ten. */
  readonly callsPerSecond?: number;
};

/** How one call of a batch ended. */
export type RpcAnswer = { readonly result: unknown } | { readonly refused: RpcRefused };

const defaultTimeoutMs = 10_000;
const defaultCallsPerSecond = 500;
/** An answer that is larger is a fault of the caller, who asked for too much, or of the endpoint. */
const maxAnswerBytes = 128 * 1024 ** 2;
/** What an endpoint that says 429 without saying for how long is spared for. */
const pauseAfter429Ms = 1_000;
const longestPauseMs = 30_000;
/** By the nodes' common use: "limit exceeded", and HTTP's status as a code. */
const tooManyCodes = new Set([-32005, 429]);

type WireAnswer = {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
};

/** One JSON-RPC URL, with its own breaker, rate limit and time limit. */
export class Endpoint {
  /** Host and port: the path may hold a key. */
  readonly name: string;
  readonly #url: string;
  readonly #timeoutMs: number;
  readonly #limit: RateLimit;
  readonly #breaker: CircuitBreaker<[readonly RpcCall[]], readonly RpcAnswer[]>;
  #pausedUntilMs = 0;

  constructor(url: string, options: EndpointOptions = {}) {
    this.name = new URL(url).host;
    this.#url = url;
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    this.#limit = new RateLimit(options.callsPerSecond ?? defaultCallsPerSecond);
    this.#breaker = new CircuitBreaker((calls: readonly RpcCall[]) => this.#post(calls), {
      name: this.name,
      timeout: false,
      errorThresholdPercentage: 50,
      volumeThreshold: 5,
      rollingCountTimeout: 10_000,
      resetTimeout: 2_000,
    });
  }

  /** Whether a call would be sent now, rather than refused here or kept waiting. */
  get isReady(): boolean {
    return !this.#breaker.opened && performance.now() >= this.#pausedUntilMs;
  }

  /** One HTTP request for all of them; answers in the order of the calls. @throws EndpointFailed */
  async batch(calls: readonly RpcCall[]): Promise<readonly RpcAnswer[]> {
    if (calls.length === 0) return [];
    if (performance.now() < this.#pausedUntilMs) throw new EndpointFailed(this.name, 'asked to be spared');
    await this.#limit.take(calls.length);
    try {
      return await this.#breaker.fire(calls);
    } catch (cause) {
      if (cause instanceof EndpointFailed) {
        if (cause.retryAfterMs !== undefined) this.#pausedUntilMs = performance.now() + cause.retryAfterMs;
        throw cause;
      }
      throw new EndpointFailed(this.name, cause instanceof Error ? cause.message : String(cause), { cause });
    }
  }

  /** @throws EndpointFailed @throws RpcRefused */
  async call(method: string, ...params: readonly unknown[]): Promise<unknown> {
    const [answer] = await this.batch([{ method, params }]);
    if ('refused' in answer!) throw answer.refused;
    return answer!.result;
  }

  close(): void {
    this.#breaker.shutdown();
  }

  async #post(calls: readonly RpcCall[]): Promise<readonly RpcAnswer[]> {
    const body = calls.map(({ method, params }, id) => ({ jsonrpc: '2.0', id, method, params }));
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body.length === 1 ? body[0] : body),
      signal: AbortSignal.timeout(this.#timeoutMs),
    });
    if (response.status === 429)
      throw new EndpointFailed(this.name, 'too many requests', { retryAfterMs: pauseOf(response) });
    if (!response.ok) throw new EndpointFailed(this.name, `HTTP ${response.status}`);
    return this.#answersOf(calls, JSON.parse(await limitedText(response, this.name)));
  }

  #answersOf(calls: readonly RpcCall[], parsed: unknown): readonly RpcAnswer[] {
    const list = (Array.isArray(parsed) ? parsed : [parsed]) as readonly WireAnswer[];
    const byId = new Map(list.map(answer => [answer.id, answer]));
    return calls.map(({ method }, id) => {
      const answer = byId.get(id);
      if (answer === undefined) throw new EndpointFailed(this.name, `no answer to ${method}`);
      const { error, result } = answer;
      if (!error) return { result };
      if (tooManyCodes.has(error.code))
        throw new EndpointFailed(this.name, error.message, { retryAfterMs: pauseAfter429Ms });
      return { refused: new RpcRefused(method, error.code, error.message, error.data) };
    });
  }
}

function pauseOf(response: Response): number {
  const seconds = Number(response.headers.get('retry-after') ?? NaN);
  return Number.isFinite(seconds) ? Math.min(seconds * 1_000, longestPauseMs) : pauseAfter429Ms;
}

async function limitedText(response: Response, endpoint: string): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += part.byteLength;
    if (bytes > maxAnswerBytes) throw new EndpointFailed(endpoint, `an answer above ${maxAnswerBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}
