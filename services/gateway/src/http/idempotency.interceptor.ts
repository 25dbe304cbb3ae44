import { createHash } from 'node:crypto';
import {
  Injectable,
  Logger,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { KeyValue } from '@astro/jetstream/key-value';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { lastValueFrom, of, type Observable } from 'rxjs';
import { z } from 'zod';
import { SERVICES_PATH } from '../endpoints/services-path.js';
import { callerOf } from './caller.js';
import { Problem, invalidField } from './problem.js';

/**
 * A request that is in flight for longer than this was cut off by a crash: the next one with its key takes
 * over. That is safe because ids are derived from the key, so that the same command is sent again. So is one that
 * begins further ahead than this: the clock of the gateway that claimed it was wrong.
 */
const IN_FLIGHT_MAX_MS = 30_000;

const record = z.discriminatedUnion('state', [
  z.object({ state: z.literal('in-flight'), bodySha256: z.string(), sinceMs: z.number() }),
  z.object({
    state: z.literal('answered'),
    bodySha256: z.string(),
    status: z.number(),
    location: z.string().optional(),
    body: z.unknown(),
  }),
]);
type IdempotencyRecord = z.infer<typeof record>;

/**
 * `Idempotency-Key` on POST: the same key with the same body replays the answer, with another body it is
 * refused, and while the first is in flight too. Kept for 24 hours. Only answers that say what happened are
 * kept: after a refusal nothing was done, and after a 202 or 5xx the client should ask again.
 */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  private readonly logger = new Logger('idempotency');

  constructor(private readonly records: KeyValue) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const key = request.headers['idempotency-key'];
    if (request.method !== 'POST' || key === undefined || isPassedOn(request)) return next.handle();
    if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) {
      throw invalidField('Idempotency-Key', 'must be 1 to 255 visible ASCII characters');
    }
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const scope = scopeOf(request, key);
    const bodySha256 = sha256(JSON.stringify(request.body ?? null));
    const answered = await available(this.claim(scope, bodySha256));
    if (answered) return of(replay(answered, reply));
    request.idempotencyScope = scope;
    return of(await this.handle(next, reply, scope, bodySha256));
  }

  /** The recorded answer, or undefined when this request is the one to handle. */
  private async claim(scope: string, bodySha256: string): Promise<Answered | undefined> {
    const mine: IdempotencyRecord = { state: 'in-flight', bodySha256, sinceMs: Date.now() };
    if (await this.records.create(scope, toBytes(mine))) return undefined;
    const bytes = await this.records.get(scope);
    const known = bytes && record.parse(JSON.parse(Buffer.from(bytes).toString()));
    if (known && known.bodySha256 !== bodySha256) throw new Problem('idempotency_key_reused');
    if (known?.state === 'answered') return known;
    if (known && Math.abs(Date.now() - known.sinceMs) < IN_FLIGHT_MAX_MS) {
      throw new Problem('idempotency_key_in_flight', { headers: { 'retry-after': '1' } });
    }
    await this.records.put(scope, toBytes(mine));
    return undefined;
  }

  private async handle(
    next: CallHandler,
    reply: FastifyReply,
    scope: string,
    bodySha256: string,
  ): Promise<unknown> {
    let body: unknown;
    try {
      body = await lastValueFrom(next.handle() as Observable<unknown>, { defaultValue: undefined });
    } catch (error) {
      await this.keep(this.records.delete(scope));
      throw error;
    }
    const { statusCode: status } = reply;
    const location = reply.getHeader('location')?.toString();
    const answered: IdempotencyRecord = { state: 'answered', bodySha256, status, location, body };
    await this.keep(status === 202 ? this.records.delete(scope) : this.records.put(scope, toBytes(answered)));
    return body;
  }

  /** What was done stands even when the record of it is lost: a repetition does the same again. */
  private async keep(write: Promise<unknown>): Promise<void> {
    try {
      await write;
    } catch (error) {
      this.logger.warn(`an idempotency record was not written: ${String(error)}`);
    }
  }
}

/** To a server: what its program makes of the key is its own. */
const isPassedOn = ({ url }: FastifyRequest): boolean => url.startsWith(SERVICES_PATH);

type Answered = Extract<IdempotencyRecord, { state: 'answered' }>;

function replay(answered: Answered, reply: FastifyReply): unknown {
  reply.status(answered.status).header('idempotency-replayed', 'true');
  if (answered.location !== undefined) reply.header('location', answered.location);
  return answered.body;
}

async function available<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem('commands_unavailable', { headers: { 'retry-after': '2' } });
  }
}

/** Whose key it is and for which resource, as a name that a bucket takes. */
function scopeOf(request: FastifyRequest, key: string): string {
  const { kind, id } = callerOf(request);
  return sha256(JSON.stringify([kind, id, request.method, request.url, key]));
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const toBytes = (value: IdempotencyRecord) => Buffer.from(JSON.stringify(value));
