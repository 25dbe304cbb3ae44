import { randomBytes } from 'node:crypto';
import { newId } from '@astro/event-sourcing/ids';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import {
  cidOf,
  startGateway,
  until,
  type Answer,
  type CallOptions,
  type GatewayUnderTest,
} from '../gateway.fixture.js';
import { jobPage, jobResource } from './jobs.schema.js';

jest.setTimeout(120_000);

let gateway: GatewayUnderTest;
let tenant: { tenantId: string; apiKey: string };
let stranger: { tenantId: string; apiKey: string };
const program = randomBytes(64);

beforeAll(async () => {
  gateway = await startGateway({ EVENT_STREAMS_MAX: '2', EVENT_HEARTBEAT_MS: '50' });
  const administration = gateway.platform.administration();
  tenant = await administration.registerTenant('a tenant');
  stranger = await administration.registerTenant('a tenant without money');
  await administration.credit(tenant.tenantId, 10n ** 18n);
  for (const { apiKey } of [tenant, stranger])
    await until(
      () => get('/v1/account', apiKey),
      ({ status }) => status === 200,
    );
  await gateway.call('PUT', `/v1/content/${cidOf(program)}`, { key: tenant.apiKey, body: program });
});
afterAll(() => gateway?.stop());

const get = (path: string, key = tenant.apiKey) => gateway.call('GET', path, { key });
const post = (path: string, body?: unknown, options: CallOptions = {}) =>
  gateway.call('POST', path, { key: tenant.apiKey, ...(body !== undefined && { body }), ...options });
const withKey = (idempotencyKey: string) => ({ headers: { 'idempotency-key': idempotencyKey } });

const jobRequest = (changes: object = {}) => ({
  name: 'digits',
  program: { cid: cidOf(program), timeLimitMs: 1_000, memoryLimitMib: 16, outputLimitBytes: 1_024 },
  requirements: { deviceKind: 'cpu', cpuMillis: 500, memoryMib: 64, maxPricePerSecondAtto: '1000' },
  tasks: [{ inputs: [{ name: 'a.bin', cid: cidOf(program) }] }, { inputs: [] }],
  ...changes,
});
async function submit(changes: object = {}, options: CallOptions = {}): Promise<string> {
  const answer = await post('/v1/jobs', jobRequest(changes), options);
  expect([201, 202]).toContain(answer.status);
  return answer.json['id'] as string;
}
const inStatus = (id: string, status: string, key?: string) =>
  until(
    () => get(`/v1/jobs/${id}`, key),
    answer => answer.json['status'] === status,
  );
const codeOf = ({ status, json }: Answer) => [status, json['code']];
const numberOfJobs = async () => ((await get('/v1/jobs?limit=100')).json['items'] as unknown[]).length;

describe('a submitted job', () => {
  test('is answered whole, and what it can cost is reserved', async () => {
    const answer = await post('/v1/jobs', jobRequest());
    expect(answer.status).toBe(201);
    const job = jobResource.parse(answer.json);
    expect(answer.headers.get('location')).toBe(`/v1/jobs/${job.id}`);
    // Two tasks, two replicas, one second at the price cap.
    expect(job).toMatchObject({ maxCostAtto: '4000', chargedAtto: '0', taskCount: 2, quorum: 2 });
    expect(job.tasks.map(({ status, outputs }) => [status, outputs])).toEqual([
      ['waiting', []],
      ['waiting', []],
    ]);
    await inStatus(job.id, 'queued');
    expect((await get('/v1/account')).json).toMatchObject({ owner: 'tenant', reservedAtto: '4000' });
    await post(`/v1/jobs/${job.id}/cancel`);
    await until(
      () => get('/v1/account'),
      ({ json }) => json['reservedAtto'] === '0',
    );
  });

  test('as an array is shown as one, with a task for each index', async () => {
    const inputs = [{ name: 'part-{index}', cids: [cidOf(program)] }];
    const array = { count: 3, maxParallel: 2, inputs, args: ['{index}'] };
    const answer = await post('/v1/jobs', jobRequest({ tasks: undefined, array }));
    expect(answer.status).toBe(201);
    const job = jobResource.parse(answer.json);
    expect(job.array).toEqual({ count: 3, maxParallel: 2, inputs: ['part-{index}'], args: ['{index}'] });
    expect([job.taskCount, job.tasks.length]).toEqual([3, 3]);
    await post(`/v1/jobs/${job.id}/cancel`);
  });

  test('as an array names the index whose content is not stored', async () => {
    const inputs = [{ name: 'part', cids: [cidOf(program), cidOf(randomBytes(8))] }];
    const answer = await post('/v1/jobs', jobRequest({ tasks: undefined, array: { count: 2, inputs } }));
    expect(codeOf(answer)).toEqual([422, 'content_not_found']);
    expect(answer.json['errors']).toMatchObject([{ field: 'array.inputs[0].cids[1]' }]);
  });

  test('as an array that is larger than a message is refused', async () => {
    const inputs = Array.from({ length: 16 }, (_, at) => ({ name: `${at}`, cids: [cidOf(program)] }));
    const answer = await post('/v1/jobs', jobRequest({ tasks: undefined, array: { count: 1_000, inputs } }));
    expect([...codeOf(answer), answer.json['errors']]).toMatchObject([
      400,
      'request_invalid',
      [{ field: 'array' }],
    ]);
  });

  test('without the money for it fails with that reason', async () => {
    const id = await submit({}, { key: stranger.apiKey });
    expect((await inStatus(id, 'failed', stranger.apiKey)).json).toMatchObject({
      reason: 'insufficient_funds',
    });
  });

  test('that refers to content which is not stored is refused, and every field is named', async () => {
    const missing = cidOf(randomBytes(8));
    const before = await numberOfJobs();
    const answer = await post(
      '/v1/jobs',
      jobRequest({
        tasks: [
          {
            inputs: [
              { name: 'a', cid: cidOf(program) },
              { name: 'b', cid: missing },
            ],
          },
        ],
      }),
    );
    expect(codeOf(answer)).toEqual([422, 'content_not_found']);
    expect(answer.json['errors']).toEqual([
      { field: 'tasks[0].inputs[1].cid', rule: expect.stringContaining(missing) },
    ]);
    expect(await numberOfJobs()).toBe(before);
  });

  test('of another tenant does not exist', async () => {
    const id = await submit();
    for (const path of [`/v1/jobs/${id}`, `/v1/jobs/${id}/events`])
      expect(codeOf(await get(path, stranger.apiKey))).toEqual([404, 'job_not_found']);
    expect(codeOf(await post(`/v1/jobs/${id}/cancel`, undefined, { key: stranger.apiKey }))).toEqual([
      404,
      'job_not_found',
    ]);
    expect((await get('/v1/jobs', stranger.apiKey)).text).not.toContain(id);
    expect((await get(`/v1/jobs/${id}`)).json['status']).not.toBe('cancelled');
  });

  test('that nobody submitted does not exist', async () => {
    for (const id of [newId('job'), newId('node'), 'x', '..%2f..'])
      expect(codeOf(await get(`/v1/jobs/${id}`))).toEqual([404, 'job_not_found']);
    for (const id of [newId('job'), 'x'])
      expect(codeOf(await post(`/v1/jobs/${id}/cancel`))).toEqual([404, 'job_not_found']);
  });
});

describe('a service', () => {
  const service = { replicasMin: 1, replicasMax: 2, runEveryMs: 1_000, budgetAtto: '500000' };
  const serving = (changes: object = {}) => ({
    tasks: [{ inputs: [] }],
    quorum: 1,
    service: { ...service, ...changes },
  });

  test('reserves its budget, and shows its bounds', async () => {
    const answer = await post('/v1/jobs', jobRequest(serving()));
    expect(answer.status).toBe(201);
    const job = jobResource.parse(answer.json);
    expect(job).toMatchObject({
      maxCostAtto: '500000',
      service: { ...service, periodMs: 30_000, replicasWanted: 1, replicasRunning: 0 },
    });
    await inStatus(job.id, 'queued');
    const scaled = await post(`/v1/jobs/${job.id}/scale`, { replicasMin: 2, replicasMax: 6 });
    expect([scaled.status, scaled.json['service']]).toMatchObject([200, { replicasMin: 2, replicasMax: 6 }]);
    await until(
      () => get(`/v1/jobs/${job.id}`),
      ({ json }) => (json['service'] as { replicasWanted: number }).replicasWanted === 2,
    );
    expect((await post(`/v1/jobs/${job.id}/cancel`)).json['status']).toBe('cancelled');
    expect(codeOf(await post(`/v1/jobs/${job.id}/scale`, { replicasMin: 1, replicasMax: 1 }))).toEqual([
      409,
      'job_has_ended',
    ]);
    await until(
      () => get('/v1/account'),
      ({ json }) => BigInt(json['reservedAtto'] as string) < 500_000n,
    );
  });

  test('whose budget pays for no period is refused, and the field is named', async () => {
    const answer = await post('/v1/jobs', jobRequest(serving({ budgetAtto: '59999' })));
    expect([codeOf(answer), answer.json['errors']]).toMatchObject([
      [400, 'request_invalid'],
      [{ field: 'service.budgetAtto' }],
    ]);
  });

  test('is what can be scaled, and no other job', async () => {
    const id = await submit();
    const bounds = { replicasMin: 1, replicasMax: 1 };
    expect(codeOf(await post(`/v1/jobs/${id}/scale`, bounds))).toEqual([422, 'command_refused']);
    expect(codeOf(await post(`/v1/jobs/${id}/scale`, bounds, { key: stranger.apiKey }))).toEqual([
      404,
      'job_not_found',
    ]);
    await post(`/v1/jobs/${id}/cancel`);
  });
});

describe('cancelling', () => {
  test('ends the job; once more changes nothing', async () => {
    const id = await submit();
    const cancelled = await post(`/v1/jobs/${id}/cancel`, {});
    expect([cancelled.status, cancelled.json['status']]).toEqual([200, 'cancelled']);
    expect(cancelled.json['endedAt']).toEqual(expect.any(String));
    expect(cancelled.json['tasks']).toMatchObject([{ status: 'cancelled' }, { status: 'cancelled' }]);
    expect((await post(`/v1/jobs/${id}/cancel`)).status).toBe(200);
  });

  test('a job that failed is refused', async () => {
    const id = await submit({}, { key: stranger.apiKey });
    await inStatus(id, 'failed', stranger.apiKey);
    const answer = await post(`/v1/jobs/${id}/cancel`, undefined, { key: stranger.apiKey });
    expect(codeOf(answer)).toEqual([409, 'job_has_ended']);
  });

  test('takes no fields', async () => {
    const answer = await post(`/v1/jobs/${await submit()}/cancel`, { force: true });
    expect([codeOf(answer), answer.json['errors']]).toEqual([
      [400, 'request_invalid'],
      [{ field: 'force', rule: 'unknown field' }],
    ]);
  });
});

describe('an idempotency key', () => {
  test('makes a repetition answer the same, without another job', async () => {
    const key = randomBytes(12).toString('hex');
    const first = await post('/v1/jobs', jobRequest(), withKey(key));
    const before = await numberOfJobs();
    const second = await post('/v1/jobs', jobRequest(), withKey(key));
    expect([second.status, second.text]).toEqual([first.status, first.text]);
    expect(second.headers.get('location')).toBe(first.headers.get('location'));
    expect([first, second].map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true']);
    expect(await numberOfJobs()).toBe(before);
  });

  test('is refused with another body', async () => {
    const key = randomBytes(12).toString('hex');
    await post('/v1/jobs', jobRequest(), withKey(key));
    const answer = await post('/v1/jobs', jobRequest({ name: 'other' }), withKey(key));
    expect(codeOf(answer)).toEqual([422, 'idempotency_key_reused']);
  });

  test('used many times at once makes one job', async () => {
    const key = randomBytes(12).toString('hex');
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => post('/v1/jobs', jobRequest(), withKey(key))),
    );
    const made = new Set(answers.filter(({ status }) => status === 201).map(({ json }) => json['id']));
    expect(made.size).toBe(1);
    const others = answers.filter(({ status }) => status !== 201).map(codeOf);
    for (const other of others) expect(other).toEqual([409, 'idempotency_key_in_flight']);
    expect(others.length).toBeGreaterThan(0);
  });

  test('is free again after a refusal, because nothing was done', async () => {
    const key = randomBytes(12).toString('hex');
    expect((await post('/v1/jobs', jobRequest({ quorum: 9 }), withKey(key))).status).toBe(400);
    expect((await post('/v1/jobs', jobRequest(), withKey(key))).status).toBe(201);
  });

  test('belongs to its owner and to one resource', async () => {
    const key = randomBytes(12).toString('hex');
    const mine = await post('/v1/jobs', jobRequest(), withKey(key));
    const theirs = await post('/v1/jobs', jobRequest(), { ...withKey(key), key: stranger.apiKey });
    expect(theirs.json['id']).not.toBe(mine.json['id']);
    const cancelled = await post(`/v1/jobs/${String(mine.json['id'])}/cancel`, undefined, withKey(key));
    expect(cancelled.json['status']).toBe('cancelled');
  });

  test('has 1 to 255 visible characters', async () => {
    for (const key of ['x'.repeat(256), 'a b']) {
      const answer = await post('/v1/jobs', jobRequest(), withKey(key));
      expect([codeOf(answer), answer.json['errors']]).toEqual([
        [400, 'request_invalid'],
        [expect.objectContaining({ field: 'Idempotency-Key' })],
      ]);
    }
    expect((await post('/v1/jobs', jobRequest(), withKey('x'.repeat(255)))).status).toBe(201);
  });
});

test('an outcome that comes late is answered by its place, and a repetition makes no second job', async () => {
  const key = randomBytes(12).toString('hex');
  const name = `job ${key}`;
  gateway.platform.kill('scheduling', 'SIGSTOP');
  try {
    const pending = await post('/v1/jobs', jobRequest({ name }), withKey(key));
    expect([pending.status, Object.keys(pending.json)]).toEqual([202, ['id']]);
    expect(pending.headers.get('location')).toBe(`/v1/jobs/${String(pending.json['id'])}`);
    expect((await post('/v1/jobs', jobRequest({ name }), withKey(key))).json).toEqual(pending.json);
    gateway.platform.kill('scheduling', 'SIGCONT');
    const submit = () => post('/v1/jobs', jobRequest({ name }), withKey(key));
    const known = await until(submit, ({ status }) => status === 201);
    expect(known.json['id']).toBe(pending.json['id']);
    const { items } = jobPage.parse((await get('/v1/jobs?limit=100')).json);
    expect(items.filter(job => job.name === name)).toHaveLength(1);
  } finally {
    gateway.platform.kill('scheduling', 'SIGCONT');
  }
});

describe('the list of jobs', () => {
  test('is passed through page by page, each job once, the newest first', async () => {
    for (let job = 0; job < 5; job++) await submit({ name: `job ${job}` });
    const seen: string[] = [];
    let path: string | undefined = '/v1/jobs?limit=2';
    while (path) {
      const page = jobPage.parse((await get(path)).json);
      seen.push(...page.items.map(({ id }) => id));
      path = page.nextCursor && `/v1/jobs?limit=2&cursor=${page.nextCursor}`;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(jobPage.parse((await get('/v1/jobs?limit=100')).json).items.map(({ id }) => id));
  });

  test('can be limited to a status, and a cursor belongs to its filter', async () => {
    const first = jobPage.parse((await get('/v1/jobs?status=queued&limit=1')).json);
    expect(first.items.every(({ status }) => status === 'queued')).toBe(true);
    for (const path of [
      `/v1/jobs?limit=1&cursor=${first.nextCursor}`,
      `/v1/jobs?status=queued&cursor=${first.nextCursor}x`,
      '/v1/jobs?cursor=bnVsbA',
    ])
      expect(codeOf(await get(path))).toEqual([400, 'cursor_invalid']);
    const foreign = await get(`/v1/jobs?status=queued&cursor=${first.nextCursor}`, stranger.apiKey);
    expect(codeOf(foreign)).toEqual([400, 'cursor_invalid']);
  });
});

describe('the events of a job', () => {
  const eventsOf = (id: string, headers: Record<string, string> = {}) =>
    gateway.call('GET', `/v1/jobs/${id}/events`, { key: tenant.apiKey, headers });
  const frames = (text: string) => [...text.matchAll(/^id: (\d+)\nevent: (\w+)\ndata: (.*)$/gm)];
  const names = (text: string) => frames(text).map(([, , name]) => name);

  test('come as they happen, with heartbeats, and end with the job', async () => {
    const id = await submit();
    await inStatus(id, 'queued');
    const controller = new AbortController();
    const response = await fetch(`${gateway.url}/v1/jobs/${id}/events`, {
      headers: { authorization: `Bearer ${tenant.apiKey}` },
      signal: controller.signal,
    });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (/heartbeat/.test(text) && !/JobCancelled/.test(text)) await post(`/v1/jobs/${id}/cancel`);
    }
    expect(names(text)).toEqual(['JobSubmitted', 'JobQueued', 'JobCancelled']);
    expect(JSON.parse(frames(text)[0]![3]!)).toMatchObject({ jobId: id, maxCostAtto: '4000' });
  });

  test('resume after the last one that the client has', async () => {
    const id = await submit();
    await inStatus(id, 'queued');
    await post(`/v1/jobs/${id}/cancel`);
    const [submitted, , cancelled] = frames((await eventsOf(id)).text);
    expect(names((await eventsOf(id, { 'last-event-id': submitted![1]! })).text)).toEqual([
      'JobQueued',
      'JobCancelled',
    ]);
    expect(names((await get(`/v1/jobs/${id}/events?after=${submitted![1]!}`)).text)).toHaveLength(2);
    expect(names((await eventsOf(id, { 'last-event-id': cancelled![1]! })).text)).toEqual([]);
    expect(codeOf(await eventsOf(id, { 'last-event-id': 'x' }))).toEqual([400, 'request_invalid']);
    expect(codeOf(await get(`/v1/jobs/${id}/events?after=-1`))).toEqual([400, 'request_invalid']);
  });

  test('are streamed to a limited number of clients, and a place is free when one goes away', async () => {
    const id = await submit();
    const open = async () => {
      const controller = new AbortController();
      const headers = { authorization: `Bearer ${tenant.apiKey}` };
      const response = await fetch(`${gateway.url}/v1/jobs/${id}/events`, {
        headers,
        signal: controller.signal,
      });
      return { response, close: () => controller.abort() };
    };
    const clients = [await open(), await open()];
    expect(clients.map(({ response }) => response.status)).toEqual([200, 200]);
    const refused = await eventsOf(id);
    expect(codeOf(refused)).toEqual([503, 'too_many_streams']);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    for (const client of clients) client.close();
    await post(`/v1/jobs/${id}/cancel`);
    expect(
      names(
        (
          await until(
            () => eventsOf(id),
            ({ status }) => status === 200,
          )
        ).text,
      ),
    ).toContain('JobCancelled');
  });
});
