import { breaker } from '@astro/runtime/breaker';
import { z } from 'zod';
import { retrying, type Retry } from './retry.js';

const ANSWER_LIMIT_BYTES = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
const RETRY: Retry = { attempts: 5, baseMs: 200, maxMs: 5_000 };
/** Refusals that pass: too early, too many requests, and a node that is not known everywhere yet. */
const PASSING = [401, 408, 425, 429];

const problem = z.object({
  code: z.string(),
  title: z.string(),
  detail: z.string().optional(),
  errors: z.array(z.object({ field: z.string() })).default([]),
});

/** The gateway answered, and said no. */
export class GatewayRefusal extends Error {
  override readonly name = 'GatewayRefusal';
  readonly status: number;
  readonly code: string;
  /** What the refusal is about, as far as it says. */
  readonly fields: readonly string[];

  constructor(status: number, code: string, reason: string, fields: readonly string[] = []) {
    super(`the gateway answered ${status} ${code}: ${reason}`);
    this.status = status;
    this.code = code;
    this.fields = fields;
  }
}

export type GatewayRequest = {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  /** What follows `Bearer`; made anew for each attempt, for tokens are short-lived. */
  authorization(): Promise<string> | string;
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  readonly limitBytes?: number;
};

type Answer = { readonly status: number; readonly body: Uint8Array };

/** Requests to the gateway: bounded in time, size and number of attempts, behind one breaker. */
export class GatewayClient {
  readonly #url: string;
  readonly #breaker = breaker(
    'gateway',
    (request: GatewayRequest, signal: AbortSignal) => this.#send(request, signal),
    {
      timeout: REQUEST_TIMEOUT_MS + 1_000,
      // A stopped lease takes its requests with it, which says nothing about the gateway.
      errorFilter: (error: unknown) => error instanceof Error && error.name === 'AbortError',
    },
  );

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * The body of the answer.
   * @throws GatewayRefusal; another Error when the gateway could not be reached in the attempts allowed; the
   * signal's reason
   */
  async request(request: GatewayRequest, signal: AbortSignal): Promise<Uint8Array> {
    const isFinal = (error: unknown) =>
      signal.aborted || (error instanceof GatewayRefusal && !isPassing(error.status));
    return retrying(
      async () => {
        const { status, body } = await this.#breaker.fire(request, signal);
        if (status >= 200 && status < 300) return body;
        throw refusal(status, body);
      },
      RETRY,
      { signal, isFinal },
    );
  }

  async json<T>(request: GatewayRequest, answer: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const body = await this.request(request, signal);
    return answer.parse(JSON.parse(new TextDecoder().decode(body)));
  }

  close(): void {
    this.#breaker.shutdown();
  }

  async #send(request: GatewayRequest, signal: AbortSignal): Promise<Answer> {
    const response = await fetch(this.#url + request.path, {
      method: request.method,
      headers: {
        authorization: `Bearer ${await request.authorization()}`,
        ...(request.json !== undefined && { 'content-type': 'application/json' }),
        ...(request.bytes !== undefined && { 'content-type': 'application/octet-stream' }),
      },
      body: bodyOf(request),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    });
    const body = await readLimited(response, request.limitBytes ?? ANSWER_LIMIT_BYTES);
    // Only a gateway in trouble counts against it; a refusal is an answer.
    if (response.status >= 500) throw refusal(response.status, body);
    return { status: response.status, body };
  }
}

function bodyOf({ json, bytes }: GatewayRequest): string | Uint8Array<ArrayBuffer> | null {
  if (json !== undefined) return JSON.stringify(json);
  return bytes === undefined ? null : (bytes as Uint8Array<ArrayBuffer>);
}

const isPassing = (status: number): boolean => status >= 500 || PASSING.includes(status);

function refusal(status: number, body: Uint8Array): GatewayRefusal {
  const parsed = problem.safeParse(jsonOrNothing(body));
  if (!parsed.success) return new GatewayRefusal(status, 'unknown', 'no problem document');
  const { code, title, detail = title, errors } = parsed.data;
  return new GatewayRefusal(
    status,
    code,
    detail,
    errors.map(({ field }) => field),
  );
}

function jsonOrNothing(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

async function readLimited(response: Response, limitBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    sizeBytes += chunk.length;
    // Leaving the loop cancels the rest of the body.
    if (sizeBytes > limitBytes) throw new Error(`the gateway's answer is larger than ${limitBytes} bytes`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
