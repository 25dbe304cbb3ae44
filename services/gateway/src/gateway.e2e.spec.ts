import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { derivedId, newId } from '@astro/event-sourcing/ids';
import { agentKeyPair } from '@astro/jetstream/credentials';
import { CommandBus } from '@astro/jetstream/command-bus';
import { ApiKey } from '@astro/read-models/registry/api-keys';
import { newApiKey } from '@astro/runtime/api-key';
import { signNodeToken } from '@astro/runtime/node-token';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import {
  cidOf,
  startGateway,
  until,
  type Answer,
  type CallOptions,
  type GatewayUnderTest,
} from './gateway.fixture.js';
import { guarded, someCid, someNode } from './guarded-routes.fixture.js';
import { problemDocument } from './http/problem.js';
import { RouteTable } from './http/route-table.js';
import { nodeWork } from './nodes/node-work.fixture.js';

jest.setTimeout(120_000);

let gateway: GatewayUnderTest;
let tenant: { tenantId: string; apiKey: string };
let stranger: { tenantId: string; apiKey: string };
let operator: { operatorId: string; apiKey: string };
let anotherOperator: { apiKey: string };
const program = randomBytes(64);

beforeAll(async () => {
  gateway = await startGateway({
    ...{ EVENT_STREAMS_MAX: '2', EVENT_HEARTBEAT_MS: '50' },
    TRUSTED_PROXIES: '127.0.0.0/8,::1',
  });
  const administration = gateway.platform.administration();
  tenant = await administration.registerTenant('a tenant');
  stranger = await administration.registerTenant('another tenant');
  operator = await administration.registerOperator('an operator');
  anotherOperator = await administration.registerOperator('another operator');
  await administration.credit(tenant.tenantId, 10n ** 18n);
  for (const { apiKey } of [tenant, stranger, operator, anotherOperator])
    await until(() => get('/v1/account', apiKey), isOk);
  await gateway.call('PUT', `/v1/content/${cidOf(program)}`, { key: tenant.apiKey, body: program });
});
afterAll(() => gateway?.stop());

const isOk = ({ status }: Answer) => status === 200;
const get = (path: string, key = tenant.apiKey) => gateway.call('GET', path, { key });
const post = (path: string, body: unknown, options: CallOptions = {}) =>
  gateway.call('POST', path, { key: tenant.apiKey, body, ...options });

function expectProblem(answer: Answer, status: number, code: string): Record<string, unknown> {
  expect(answer.text).toContain(`"code":"${code}"`);
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  problemDocument.strict().parse(answer.json);
  expect(answer.headers.get('x-request-id')).toBe(answer.json['requestId']);
  return answer.json;
}

const jobRequest = (changes: object = {}) => ({
  name: 'digits',
  program: { cid: cidOf(program), timeLimitMs: 1_000, memoryLimitMib: 16, outputLimitBytes: 1_024 },
  requirements: { deviceKind: 'cpu', cpuMillis: 500, memoryMib: 64, maxPricePerSecondAtto: '1000' },
  tasks: [{ inputs: [{ name: 'a.bin', cid: cidOf(program) }] }, { inputs: [] }],
  ...changes,
});

describe('a caller', () => {
  test.each(guarded)('of %s %s needs a credential', async (method, path) => {
    const answer = await gateway.call(method, path);
    expectProblem(answer, 401, 'credentials_missing');
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  test.each(guarded)('of %s %s needs a valid one', async (method, path) => {
    const node = await signNodeToken({ nodeId: someNode, seed32: randomBytes(32), ttlSeconds: 30 });
    const mistyped = `${tenant.apiKey.slice(0, -1)}${tenant.apiKey.endsWith('0') ? '1' : '0'}`;
    for (const key of ['x', mistyped, newApiKey().text, node, 'a.b.c'])
      expectProblem(await gateway.call(method, path, { key }), 401, 'credentials_invalid');
    const basic = await gateway.call(method, path, { headers: { authorization: 'Basic YTpi' } });
    expectProblem(basic, 401, 'credentials_invalid');
  });

  test.each(guarded.filter(([, , wrongKind]) => wrongKind))(
    'of %s %s must be of the right kind',
    async (method, path, wrongKind) => {
      const key = wrongKind === 'tenant' ? tenant.apiKey : operator.apiKey;
      const body = ['/v1/jobs', '/v1/jobs/plan'].includes(path) ? jobRequest() : {};
      const answer = await gateway.call(method, path, { key, ...(method === 'POST' && { body }) });
      expectProblem(answer, 403, 'caller_not_allowed');
    },
  );

  test('learns how much more may be sent', async () => {
    const { headers } = await get('/v1/account');
    expect(headers.get('ratelimit-policy')).toMatch(/^"default";q=\d+;w=\d+$/);
    expect(headers.get('ratelimit')).toMatch(/^"default";r=\d+;t=\d+$/);
  });
});

test('a key that is revoked stops working', async () => {
  const administration = gateway.platform.administration();
  const { tenantId, apiKey } = await administration.registerTenant('a tenant that leaves');
  await until(() => get('/v1/account', apiKey), isOk);
  const em = gateway.service.app.get(MikroORM).em.fork();
  const { keyId } = await em.findOneOrFail(ApiKey, { ownerId: tenantId });
  const commands = new CommandBus(await gateway.platform.connectBus('tester'), 'tester');
  const revoke = {
    to: { type: 'registry.api-key', id: keyId },
    type: 'RevokeApiKey',
    data: { keyId },
  } as const;
  const metadata = { correlationId: keyId, causationId: keyId, actor: 'service:tester' };
  await commands.send(revoke, { id: newId('command'), metadata });
  const refused = await until(
    () => get('/v1/account', apiKey),
    ({ status }) => status !== 200,
  );
  expectProblem(refused, 401, 'credentials_invalid');
});

describe('a request', () => {
  test('for nothing that exists', async () => {
    for (const path of ['/', '/v1', '/v1/jobs/', '/v1/%2e%2e/etc/passwd', '/v2/jobs'])
      expectProblem(await get(path), 404, 'route_not_found');
  });

  test('with a method that the resource does not have', async () => {
    const answer = await gateway.call('DELETE', '/v1/jobs', { key: tenant.apiKey });
    expectProblem(answer, 405, 'method_not_allowed');
    expect(answer.headers.get('allow')).toBe('GET, HEAD, POST');
  });

  test('with a path that cannot be decoded or is too long', async () => {
    expectProblem(await get('/v1/jobs/%E0%A4%A'), 400, 'request_malformed');
    expectProblem(await get(`/v1/jobs/${'x'.repeat(200)}`), 414, 'uri_too_long');
  });

  test('with a body that is no JSON', async () => {
    for (const body of ['{', '{"name":}', '', '{"__proto__":{"a":1}}', '\u0000'])
      expectProblem(await post('/v1/jobs', body), 400, 'json_malformed');
  });

  test('with a body of another type', async () => {
    for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'nonsense'])
      expectProblem(
        await post('/v1/jobs', 'a=b', { headers: { 'content-type': type } }),
        415,
        'media_type_unsupported',
      );
  });

  test('with a body beyond the limit', async () => {
    expectProblem(await post('/v1/jobs', { name: 'x'.repeat(1_100_000) }), 413, 'body_too_large');
  });

  test('with an unknown query parameter', async () => {
    const { errors } = expectProblem(await get('/v1/jobs?page=2'), 400, 'request_invalid');
    expect(errors).toEqual([{ field: 'page', rule: 'unknown field' }]);
  });

  test('that is not HTTP', async () => {
    for (const [sent, status, code] of [
      ['NONSENSE\r\n\r\n', 400, 'request_malformed'],
      [`GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headers_too_large'],
    ] as const) {
      const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
      socket.end(sent);
      const answer = await text(socket);
      expect(answer).toContain(`HTTP/1.1 ${status} `);
      expect(problemDocument.parse(JSON.parse(answer.slice(answer.indexOf('{')))).code).toBe(code);
    }
  });

  test('is answered with headers that keep browsers from guessing', async () => {
    const { headers } = await get('/v1/account');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-powered-by')).toBeNull();
  });
});

/** A path that may hold slashes comes last. */
const routeOf = (path: string) => path.replace(/\{path\}$/, '*').replaceAll(/\{(\w+)\}/g, ':$1');

test('every route of the server is in the OpenAPI document, and the other way round', async () => {
  const { json } = await gateway.call('GET', '/v1/openapi.json');
  const documented = Object.entries(json['paths'] as Record<string, object>).flatMap(([path, item]) =>
    Object.keys(item).map(method => `${method.toUpperCase()} ${routeOf(path)}`),
  );
  const served = gateway.service.app
    .get(RouteTable)
    .list()
    .filter(route => / \/(v1|ipfs)\//.test(route));
  // Fastify derives HEAD from GET; only the one that we declare ourselves is documented.
  const own = served.filter(route => !route.startsWith('HEAD ') || documented.includes(route));
  expect(own).toEqual([...documented].sort());
  // HEAD, of content and of servers, answers without a body that could be looked at.
  expect(guarded.length + 3).toBe(documented.length);
});

describe('content', () => {
  const put = (cid: string, body: Uint8Array) =>
    gateway.call('PUT', `/v1/content/${cid}`, { key: tenant.apiKey, body });

  test('is stored once and read by anybody who knows its id', async () => {
    const bytes = randomBytes(300_000);
    const cid = cidOf(bytes);
    const stored = await put(cid, bytes);
    expect([stored.status, stored.json, stored.headers.get('location')]).toEqual([
      201,
      { cid },
      `/v1/content/${cid}`,
    ]);
    expect((await put(cid, bytes)).status).toBe(200);
    const read = await fetch(`${gateway.url}/v1/content/${cid}`, {
      headers: { authorization: `Bearer ${stranger.apiKey}` },
    });
    expect(Buffer.from(await read.arrayBuffer()).equals(bytes)).toBe(true);
    expect(read.headers.get('etag')).toBe(`"${cid}"`);
    expect(read.headers.get('cache-control')).toContain('immutable');
    const head = await gateway.call('HEAD', `/v1/content/${cid}`, { key: tenant.apiKey });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '300000']);
    const known = await gateway.call('GET', `/v1/content/${cid}`, {
      key: tenant.apiKey,
      headers: { 'if-none-match': `"${cid}"` },
    });
    expect([known.status, known.text]).toEqual([304, '']);
  });

  test('is kept for the tenants that stored it, each until it gives it back', async () => {
    const owner = await gateway.platform.administration().registerTenant('Keeps content');
    const bytes = randomBytes(1_000);
    const cid = cidOf(bytes);
    const path = `/v1/content/${cid}`;
    const call = (method: string, body?: Uint8Array) =>
      gateway.call(method, path, { key: owner.apiKey, body });
    const kept = (count: number) =>
      until(
        () => gateway.call('GET', '/v1/usage', { key: owner.apiKey }),
        ({ json }) => (json['storage'] as { contents?: number } | undefined)?.contents === count,
      );
    await until(() => gateway.call('GET', '/v1/account', { key: owner.apiKey }), isOk);
    expect((await put(cid, bytes)).status).toBe(201);
    expect((await call('PUT', bytes)).status).toBe(200);
    expect((await call('PUT', bytes)).status).toBe(200);
    expect((await kept(1)).json['storage']).toEqual({
      ...{ contents: 1, bytes: '1000', gibHoursAtto: '0', chargedAtto: '0', dueAtto: '0' },
    });
    expect([(await call('DELETE')).status, (await call('DELETE')).status]).toEqual([204, 204]);
    await kept(0);
    // The other tenant holds it still, and its id is all that one needs to read it.
    expect((await call('GET')).status).toBe(200);
  });

  test('of nothing is content too', async () => {
    expect((await put(cidOf(Buffer.alloc(0)), new Uint8Array())).status).toBe(201);
  });

  test('with another digest leaves nothing', async () => {
    const cid = cidOf(randomBytes(32));
    expectProblem(await put(cid, randomBytes(32)), 422, 'content_digest_mismatch');
    expectProblem(await get(`/v1/content/${cid}`), 404, 'content_not_stored');
    expect(await readdir(`${gateway.contentDir}/incoming`)).toEqual([]);
  });

  test('under an id of another form is refused, and the rule is named', async () => {
    for (const cid of ['x', 'QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR', `${someCid}a`]) {
      const { errors } = expectProblem(await put(cid, randomBytes(4)), 400, 'cid_invalid');
      expect(errors).toEqual([{ field: 'cid', rule: expect.any(String) }]);
    }
  });

  test('beyond the limit is refused before it is read', async () => {
    const large = new Uint8Array(64 * 1024 * 1024 + 1);
    expectProblem(await put(cidOf(large), large), 413, 'body_too_large');
    expect(await readdir(`${gateway.contentDir}/incoming`)).toEqual([]);
  });

  test('as JSON is refused', async () => {
    const answer = await gateway.call('PUT', `/v1/content/${someCid}`, {
      key: tenant.apiKey,
      body: 'text',
      headers: { 'content-type': 'text/plain' },
    });
    expectProblem(answer, 415, 'media_type_unsupported');
  });
});

describe('a node', () => {
  const seed32 = randomBytes(32);
  const { publicKey } = agentKeyPair(seed32);
  const inventory = {
    devices: [{ kind: 'cpu', vendor: 'AMD', model: 'EPYC', memoryMib: 1_024 }],
    cpuMillis: 4_000,
    memoryMib: 1_024,
    diskMib: 1_024,
    operatingSystem: 'linux',
    architecture: 'x64',
    runtimes: ['wasm'],
  };
  const offer = { region: 'de-fra', inventory, pricePerSecondAtto: '1000' };
  const enrol = (body: unknown) => post('/v1/nodes', body, { key: operator.apiKey });

  test('is enrolled once by its operator, and gets credentials for its own name', async () => {
    const first = await enrol({ publicKey, offer });
    expect(first.status).toBe(201);
    expect((await enrol({ publicKey, offer })).json['nodeId']).toBe(first.json['nodeId']);
    expect(first.json['nodeId']).toBe(derivedId('node', operator.operatorId, publicKey));
    const { jwt, expiresAt, servers } = first.json['credentials'] as {
      jwt: string;
      expiresAt: string;
      servers: string[];
    };
    expect(decodeJwt(jwt)).toMatchObject({ sub: publicKey, name: first.json['nodeId'] });
    expect(Math.abs(decodeJwt(jwt).exp! - Date.parse(expiresAt) / 1_000)).toBeLessThan(5);
    expect(servers).toEqual([gateway.platform.natsUrl]);
    const listed = (await get('/v1/nodes?limit=100')).json['items'];
    // What the offer does not say is answered with what it means: nothing known, nothing shared.
    const devices = inventory.devices.map(device => ({
      ...device,
      interconnect: '',
      isShareable: false,
      slices: [],
      idleWatts: 0,
      fullWatts: 0,
    }));
    expect(listed).toContainEqual({
      id: first.json['nodeId'],
      operatorId: operator.operatorId,
      status: 'offline',
      ...offer,
      interruptiblePricePerSecondAtto: '500',
      pricePerGibTransferredAtto: '0',
      inventory: { ...inventory, bandwidthMbps: 0, devices },
    });
  });

  test('tells its operator by which kinds it is related to others, and by no key', async () => {
    const own = () => get('/v1/account', operator.apiKey);
    const { json } = await own();
    expect(json['affiliations']).toEqual([]);
    const headers = { 'x-forwarded-for': '10.0.0.1, 8.8.8.8' };
    await post('/v1/nodes', { publicKey, offer }, { key: operator.apiKey, headers });
    const answer = await until(own, ({ json: account }) => (account['affiliations'] as unknown[]).length > 0);
    const seenAt: unknown = expect.any(String);
    expect(answer.json['affiliations']).toEqual([{ kind: 'network', seenAt, others: 0 }]);
  });

  test('renews its credentials with a token of its own key, and nobody else does', async () => {
    const nodeId = (await enrol({ publicKey, offer })).json['nodeId'] as string;
    const path = `/v1/nodes/${nodeId}/credentials`;
    const key = await signNodeToken({ nodeId, seed32, ttlSeconds: 30 });
    const renewed = await gateway.call('POST', path, { key });
    expect([renewed.status, decodeJwt(renewed.json['jwt'] as string).name]).toEqual([200, nodeId]);
    const forged = await signNodeToken({ nodeId, seed32: randomBytes(32), ttlSeconds: 30 });
    expectProblem(await gateway.call('POST', path, { key: forged }), 401, 'credentials_invalid');
    expectProblem(
      await gateway.call('POST', `/v1/nodes/${someNode}/credentials`, { key }),
      404,
      'node_not_found',
    );
    expectProblem(
      await gateway.call('POST', '/v1/jobs', { key, body: jobRequest() }),
      403,
      'caller_not_allowed',
    );
  });

  test('with an offer that no machine has is refused, and the field is named', async () => {
    const { errors } = expectProblem(
      await enrol({ publicKey, offer: { ...offer, inventory: { ...inventory, cpuMillis: 0 } } }),
      400,
      'request_invalid',
    );
    expect(errors).toEqual([expect.objectContaining({ field: 'offer.inventory.cpuMillis' })]);
    // The gateway knows no rule between fields: this one is the registry's.
    const decided = await enrol({
      publicKey,
      offer: { ...offer, inventory: { ...inventory, memoryMib: 512 } },
    });
    expect(expectProblem(decided, 400, 'request_invalid')['errors']).toEqual([
      expect.objectContaining({ field: 'offer.inventory.devices[0].memoryMib' }),
    ]);
    const changed = `${publicKey.slice(0, -1)}${publicKey.endsWith('A') ? 'B' : 'A'}`;
    expectProblem(await enrol({ publicKey: changed, offer }), 400, 'request_invalid');
  });
});

describe('the work of a node', () => nodeWork(() => ({ gateway, operator, anotherOperator })));

test("the gateway's role in the database reads and does nothing else", async () => {
  const orm = gateway.service.app.get(MikroORM);
  expect(await orm.em.fork().execute('select count(*) from "registry"."tenants"')).toHaveLength(1);
  for (const statement of [
    `insert into "registry"."tenants" values ('tenant_x', 'x', now())`,
    `update "billing"."balances" set "balance_atto" = 0`,
    `delete from "scheduling"."jobs"`,
    `create table "scheduling"."mine" ("a" text)`,
    `create schema "mine"`,
  ])
    await expect(orm.em.fork().execute(statement)).rejects.toThrow(/permission denied/);
});

test('while the database is away reads are refused for a while, and then work again', async () => {
  const admin = new pg.Client({ connectionString: gateway.platform.adminDatabaseUrl });
  await admin.connect();
  try {
    await admin.query('alter role gateway nologin');
    await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'gateway'`);
    const away = await until(
      () => get('/v1/nodes'),
      ({ status }) => status !== 200,
    );
    expectProblem(away, 503, 'reads_unavailable');
    expect(away.headers.get('retry-after')).toMatch(/^\d+$/);
    const ready = await gateway.call('GET', '/health/ready');
    expect([ready.status, ready.json['status']]).toEqual([503, 'unready']);
    await admin.query('alter role gateway login');
    await until(() => get('/v1/nodes'), isOk);
  } finally {
    await admin.query('alter role gateway login');
    await admin.end();
  }
});
