import { setTimeout as sleep } from 'node:timers/promises';
import { cidOf } from '@astro/messages/content-id';

export type TaskProgress = {
  readonly fraction: number;
  readonly message?: string;
  readonly leaseId: string;
};
export type Output = { readonly name: string; readonly cid: string; readonly sizeBytes: number };
export type Task = {
  readonly id: string;
  readonly status: string;
  readonly outputs: readonly Output[];
  readonly checkpoint?: { readonly cid: string; readonly sizeBytes: number };
  readonly progress?: TaskProgress;
};
export type Job = {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly reason?: string;
  readonly detail?: string;
  readonly tasks: readonly Task[];
};
export type JobRequest = {
  readonly name: string;
  readonly program: {
    readonly cid: string;
    readonly timeLimitMs: number;
    readonly memoryLimitMib: number;
    readonly outputLimitBytes: number;
    readonly isEncrypted?: boolean;
  };
  readonly requirements: {
    readonly deviceKind: 'cpu';
    readonly cpuMillis: number;
    readonly memoryMib: number;
    readonly maxPricePerSecondAtto: string;
    readonly maxPricePerGibTransferredAtto?: string;
    readonly regions?: readonly string[];
    readonly attestations?: readonly string[];
    readonly nodes?: readonly string[];
  };
  readonly quorum?: number;
  readonly leaseClass?: 'on_demand' | 'interruptible' | 'reserved';
  readonly reservationId?: string;
  readonly tasks: readonly {
    readonly inputs: readonly {
      readonly name: string;
      readonly cid: string;
      readonly isEncrypted?: boolean;
    }[];
    readonly args?: readonly string[];
  }[];
  readonly checkpoints?: { readonly everyMs: number };
  /** As `astro data seal` prints it. */
  readonly encryption?: object;
  readonly funding?: { readonly mode: 'whole' | 'stepwise'; readonly noticeMs: number };
};
export type ReservationRequest = {
  readonly requirements: JobRequest['requirements'];
  readonly endsAt: string;
};
export type Reservation = {
  readonly id: string;
  readonly status: 'booked' | 'confirmed' | 'active' | 'ended';
  readonly amountAtto: string;
  readonly chargedAtto: string;
};
export type Plan = {
  readonly eligibleNodes: number;
  readonly placements: readonly { readonly nodeId: string; readonly pricePerSecondAtto: string }[];
  /** For each rule, the nodes that it excludes. */
  readonly excluded: Readonly<Record<string, number>>;
};
export type JobEvent = {
  readonly position: string;
  readonly type: string;
  readonly data: Record<string, unknown>;
};

const REQUEST_TIMEOUT_MS = 15_000;
const READ_MODEL_ATTEMPTS_MAX = 200;
const REQUEST_ATTEMPTS_MAX = 20;
const STREAM_ATTEMPTS_MAX = 60;
const TERMINAL = new Set(['JobSucceeded', 'JobFailed', 'JobCancelled']);

/** An answer of the gateway that is not a success: its problem document. */
export class Problem extends Error {
  override readonly name = 'Problem';
  constructor(
    readonly status: number,
    readonly document: { readonly code?: string; readonly detail?: string; readonly title?: string },
  ) {
    super(`${status} ${document.code ?? document.title ?? 'unknown'}: ${document.detail ?? ''}`);
  }
}

/** The gateway as a tenant sees it: plain REST with an API key. */
export class Client {
  constructor(
    private readonly gatewayUrl: string,
    private readonly apiKey: string,
    /** Ends every request, stream and retry. */
    private readonly signal: AbortSignal = new AbortController().signal,
  ) {}

  /** Stores `bytes` and answers their content id; repeating it changes nothing. */
  async putContent(bytes: Uint8Array): Promise<string> {
    const cid = cidOf(bytes);
    await this.putPart(`/v1/content/${cid}`, bytes);
    return cid;
  }

  /** A part of a file, or the list of them. */
  async putPart(path: string, bytes: Uint8Array): Promise<void> {
    await this.request('PUT', path, new Blob([Uint8Array.from(bytes)]), 'application/octet-stream');
  }

  async getContent(cid: string): Promise<Uint8Array> {
    const bytes = new Uint8Array(await (await this.request('GET', `/v1/content/${cid}`)).arrayBuffer());
    if (cidOf(bytes) !== cid) throw new Error(`content ${cid} came with another digest`);
    return bytes;
  }

  /** Submits a job; `idempotencyKey` makes a repeated call answer with the same job. */
  async submit(job: JobRequest, idempotencyKey: string): Promise<{ readonly id: string }> {
    const response = await this.request('POST', '/v1/jobs', JSON.stringify(job), 'application/json', {
      'idempotency-key': idempotencyKey,
    });
    if (response.status === 201) return (await response.json()) as Job;
    return { id: response.headers.get('location')!.split('/').at(-1)! };
  }

  /** What would become of the job if it were submitted now. */
  async plan(job: JobRequest): Promise<Plan> {
    const response = await this.request('POST', '/v1/jobs/plan', JSON.stringify(job), 'application/json');
    return (await response.json()) as Plan;
  }

  async cancel(id: string): Promise<void> {
    await this.request('POST', `/v1/jobs/${id}/cancel`);
  }

  /** Capacity from now on that only jobs which cite it run on. */
  async reserve(capacity: ReservationRequest, idempotencyKey: string): Promise<{ readonly id: string }> {
    const response = await this.request(
      'POST',
      '/v1/reservations',
      JSON.stringify(capacity),
      'application/json',
      { 'idempotency-key': idempotencyKey },
    );
    if (response.status === 201) return (await response.json()) as Reservation;
    return { id: response.headers.get('location')!.split('/').at(-1)! };
  }

  async cancelReservation(id: string): Promise<void> {
    await this.request('POST', `/v1/reservations/${id}/cancel`);
  }

  async reservation(id: string): Promise<Reservation> {
    return this.json<Reservation>(`/v1/reservations/${id}`);
  }

  async job(id: string): Promise<Job> {
    return this.json<Job>(`/v1/jobs/${id}`);
  }

  /** The job after its last event: the read model may be a moment behind the event stream. */
  async ended(id: string): Promise<Job> {
    for (let attempt = 0; attempt < READ_MODEL_ATTEMPTS_MAX; attempt++) {
      const job = await this.job(id);
      if (!['submitted', 'queued', 'running'].includes(job.status)) return job;
      await this.pause(50);
    }
    throw new Error(`${id} has ended, but its read model does not say so`);
  }

  async json<T>(path: string): Promise<T> {
    return (await (await this.request('GET', path)).json()) as T;
  }

  /** For what may be repeated. */
  async putJson(path: string, body: unknown): Promise<void> {
    await this.request('PUT', path, JSON.stringify(body), 'application/json');
  }

  /** Every event of the job until its last; resumes where a broken connection stopped. */
  async *events(jobId: string): AsyncGenerator<JobEvent> {
    let position = '0';
    for (let attempt = 0; attempt < STREAM_ATTEMPTS_MAX; attempt++) {
      try {
        for await (const event of this.stream(jobId, position)) {
          position = event.position;
          attempt = 0;
          yield event;
          if (TERMINAL.has(event.type)) return;
        }
      } catch (error) {
        if (error instanceof Problem && error.status < 500 && error.status !== 404) throw error;
      }
      await this.pause(500);
    }
    throw new Error(`the event stream of ${jobId} could not be kept open`);
  }

  private async *stream(jobId: string, after: string): AsyncGenerator<JobEvent> {
    const response = await fetch(`${this.gatewayUrl}/v1/jobs/${jobId}/events`, {
      headers: {
        authorization: `Bearer ${this.apiKey}`,
        accept: 'text/event-stream',
        'last-event-id': after,
      },
      signal: this.signal,
    });
    if (!response.ok) throw await problemOf(response);
    let [text, position] = ['', after];
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const blocks = text.split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) {
        const fields = new Map(
          block.split('\n').map(line => [line.split(':', 1)[0]!, line.replace(/^[^:]*: ?/, '')]),
        );
        if (!fields.has('data')) continue;
        // What is no event of the job has no position, and leaves it as it was.
        position = fields.get('id') ?? position;
        yield {
          position,
          type: fields.get('event')!,
          data: JSON.parse(fields.get('data')!) as Record<string, unknown>,
        };
      }
    }
  }

  private pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.signal });
  }

  private async request(
    method: string,
    path: string,
    body?: string | Blob,
    contentType?: string,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await fetch(`${this.gatewayUrl}${path}`, {
          method,
          headers: {
            authorization: `Bearer ${this.apiKey}`,
            ...(contentType && { 'content-type': contentType }),
            ...headers,
          },
          ...(body !== undefined && { body }),
          signal: AbortSignal.any([this.signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
        });
        if (response.ok) return response;
        throw await problemOf(response);
      } catch (error) {
        if (attempt === REQUEST_ATTEMPTS_MAX || !isWorthARetry(error)) throw error;
        await this.pause(Math.min(250 * attempt, 2_000));
      }
    }
  }
}

/** Every request here may be repeated: content is named by its digest, a submission by its idempotency key. */
function isWorthARetry(error: unknown): boolean {
  if (!(error instanceof Problem)) return true;
  return error.document.code === 'idempotency_key_in_flight' || [429, 502, 503, 504].includes(error.status);
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    return new Problem(response.status, JSON.parse(text) as { code?: string; detail?: string });
  } catch {
    return new Problem(response.status, { title: text.slice(0, 200) });
  }
}
