import { z } from 'zod';

const TIMEOUT_MS = 10_000;
const problem = z.object({ code: z.string(), title: z.string(), detail: z.string().optional() });

/** The gateway said no, or could not be asked. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  /** Absent when there was no answer. */
  readonly status: number | undefined;
  readonly code: string;

  constructor(message: string, code: string, status?: number, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = status;
  }
}

export type Answered = { readonly body: unknown; readonly date: Date | undefined };

/** The gateway, as people speak to it: one attempt, because whoever waits can try again. */
export class OperatorApi {
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = url.replace(/\/+$/, '');
    this.#key = key;
  }

  /** @throws ApiFailure */
  async send(method: 'GET' | 'POST' | 'DELETE', path: string, json?: unknown): Promise<Answered> {
    const response = await this.#fetch(method, path, json);
    const text = await response.text();
    const body = jsonIn(text);
    if (!response.ok) throw refusal(response.status, body);
    const date = response.headers.get('date');
    return { body, date: date === null ? undefined : new Date(date) };
  }

  /** @throws ApiFailure */
  async get<T>(path: string, answer: z.ZodType<T>): Promise<T> {
    return answer.parse((await this.send('GET', path)).body);
  }

  /** Content, checked by nobody here. @throws ApiFailure */
  async bytes(path: string): Promise<Uint8Array> {
    const response = await this.#fetch('GET', path, undefined);
    if (!response.ok) throw refusal(response.status, jsonIn(await response.text()));
    return new Uint8Array(await response.arrayBuffer());
  }

  async #fetch(method: string, path: string, json: unknown): Promise<Response> {
    try {
      return await fetch(this.#url + path, {
        method,
        headers: {
          authorization: `Bearer ${this.#key}`,
          ...(json !== undefined && { 'content-type': 'application/json' }),
        },
        body: json === undefined ? null : JSON.stringify(json),
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (cause) {
      throw new ApiFailure(`${this.#url} does not answer: ${reasonIn(cause)}`, 'unreachable', undefined, {
        cause,
      });
    }
  }
}

/** What lies at the bottom of a failed request: `fetch failed` alone helps nobody. */
export function reasonIn(error: unknown): string {
  const { cause, message, code } = error as { cause?: unknown; message?: string; code?: string };
  if (cause !== undefined) return reasonIn(cause);
  return [code, message].filter(text => text !== undefined && text !== '').join(' ') || String(error);
}

function refusal(status: number, body: unknown): ApiFailure {
  const parsed = problem.safeParse(body);
  if (!parsed.success) return new ApiFailure(`the gateway answered ${status}`, 'unknown', status);
  const { code, title, detail } = parsed.data;
  return new ApiFailure(`the gateway answered ${status} ${code}: ${detail ?? title}`, code, status);
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
