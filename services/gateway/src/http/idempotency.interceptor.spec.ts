import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { newId } from '@astro/event-sourcing/ids';
import { Bus } from '@astro/jetstream/bus';
import { KeyValue } from '@astro/jetstream/key-value';
import { ensureStreams } from '@astro/jetstream/streams';
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import type { ExecutionContext } from '@nestjs/common';
import { lastValueFrom, NEVER, of, type Observable } from 'rxjs';
import { IdempotencyInterceptor } from './idempotency.interceptor.js';

const hourMs = 3_600_000;

let dir: string;
let server: NatsServer;
let bus: Bus;
let interceptor: IdempotencyInterceptor;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-idempotency-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'idempotency-spec' });
  await ensureStreams(bus);
  interceptor = new IdempotencyInterceptor(await KeyValue.open(bus, 'idempotency'));
}, 120_000);

afterEach(() => void jest.restoreAllMocks());

afterAll(async () => {
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

test('while the first request is in flight, another one with its key is refused', async () => {
  const request = submission();
  void claimAndDie(request);
  await untilClaimed(request);
  await expect(submit(request)).rejects.toMatchObject({ code: 'idempotency_key_in_flight' });
});

test.each([-hourMs, hourMs])('a key that was claimed by a clock %i ms off is taken over', async skewMs => {
  const request = submission();
  const rightNow = Date.now();
  jest.spyOn(Date, 'now').mockReturnValue(rightNow + skewMs);
  void claimAndDie(request);
  await untilClaimed(request);
  jest.restoreAllMocks();
  expect(await submit(request)).toBe('done');
});

const submission = () => ({
  method: 'POST',
  url: '/v1/jobs',
  headers: { 'idempotency-key': newId('key') },
  caller: { kind: 'tenant', id: newId('tenant') },
  body: {},
  idempotencyScope: undefined as string | undefined,
});
type Submission = ReturnType<typeof submission>;

/** What comes after the interceptor never answers, as in a gateway that is killed. */
const claimAndDie = (request: Submission) => intercepted(request, NEVER);

async function untilClaimed(request: Submission): Promise<void> {
  while (request.idempotencyScope === undefined) await new Promise(resolve => setTimeout(resolve, 5));
}

const submit = async (request: Submission) => lastValueFrom(await intercepted(request, of('done')));

function intercepted(request: Submission, answer: Observable<unknown>): Promise<Observable<unknown>> {
  const reply = { statusCode: 201, getHeader: () => undefined };
  const http = { getRequest: () => request, getResponse: () => reply };
  const context = { switchToHttp: () => http } as unknown as ExecutionContext;
  return interceptor.intercept(context, { handle: () => answer });
}
