import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Archive } from '@astro/archive/archive';
import { stateFrom, textFrom } from '@astro/archive/invoice/from-archive';
import { flawsOf, invoiceSchema, type Invoice } from '@astro/archive/invoice/invoice';
import { Archiver } from '@astro/archive/archiver';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import { silent } from '@astro/jetstream/log';
import { ensureStreams } from '@astro/jetstream/streams';
import type { AccountEvent } from '@astro/messages/billing';
import { invoiceNumberOf } from '@astro/messages/invoice-month';
import { provision } from '@astro/postgres/provision';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const entry = join(import.meta.dirname, '../dist/main.js');
const stream = 'EVT_BILLING';
const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'service:spec' };
const month = new Date().toISOString().slice(0, 7);
const amounts = [120n, 7n, 10n ** 24n, 1n, 33n];

let dir: string;
let nats: NatsServer;
let postgres: PostgresServer;
let bus: Bus;
let invoice: Invoice;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-invoice-'));
  nats = await startNats({ dir: join(dir, 'nats') });
  postgres = await startPostgres({ dir: join(dir, 'postgres') });
  const login = { password: 'secret' };
  await provision(postgres.adminUrl, {
    database: 'spec',
    owners: [{ ...login, role: 'billing', schema: 'billing' }],
    reader: { ...login, role: 'gateway' },
  });
  bus = await Bus.connect({ servers: nats.url, name: 'invoice-spec' });
  await ensureStreams(bus);
  await archiveCharges();
  const issued = await run('invoice', '--tenant', 'tenant_1', '--month', month);
  expect(issued.code).toBe(0);
  invoice = JSON.parse(issued.output) as Invoice;
}, 120_000);

afterAll(async () => {
  await bus.close();
  await nats.stop();
  await postgres.stop();
  await rm(dir, { recursive: true, force: true });
});

function urlAs(role: string): string {
  const url = new URL(postgres.adminUrl);
  url.pathname = '/spec';
  [url.username, url.password] = [role, 'secret'];
  return url.href;
}

const charged = (tenantId: string, index: number, amountAtto: bigint): AccountEvent => ({
  type: 'TaskCharged',
  data: {
    tenantId,
    jobId: 'job_1',
    taskId: `task_${index}`,
    feeBps: 250,
    burnBps: 2_000,
    meteredMs: 1_000,
    work: [],
    postings: [
      { account: `tenant:${tenantId}:reserved`, amountAtto: -amountAtto },
      { account: 'operator:operator_1:earned', amountAtto },
    ],
  },
});
/** Of 200, 60 are for a period before; the fee is 5, of which one is burned and two are the validators'. */
const kept: AccountEvent = {
  type: 'StorageCharged',
  data: {
    ...{ tenantId: 'tenant_1', from: new Date(0), through: new Date(3_600_000) },
    ...{ gibHoursAtto: 7n * 10n ** 17n, pricePerGibHourAtto: 200n, arrearsAtto: 60n },
    ...{ operatorId: 'operator_1', feeBps: 250, burnBps: 2_000, validatorBps: 4_000 },
    postings: [
      { account: 'tenant:tenant_1:available', amountAtto: -200n },
      { account: 'operator:operator_1:earned', amountAtto: 195n },
      { account: 'platform:fees', amountAtto: 2n },
      { account: 'platform:burned', amountAtto: 1n },
      { account: 'platform:validators', amountAtto: 2n },
    ],
  },
};

/** Charges of two tenants, for work and for kept content, and another event, as they would meet in the stream. */
async function archiveCharges(): Promise<void> {
  const store = new EventStore(bus);
  const positions = new Map<string, number>();
  const append = async (tenantId: string, event: AccountEvent, commandId: string) => {
    const options = { expectedPosition: positions.get(tenantId) ?? 0, commandId, metadata };
    const { position } = await store.append({ type: 'billing.account', id: tenantId }, [event], options);
    positions.set(tenantId, position);
    return position;
  };
  const closing = { tenantId: 'tenant_1', jobId: 'job_1', expectedCharges: 9 };
  let last = await append('tenant_1', { type: 'ReservationClosing', data: closing }, 'closing');
  for (const [index, amountAtto] of amounts.entries()) {
    await append('tenant_2', charged('tenant_2', index, 5n), `other-${index}`);
    last = await append('tenant_1', charged('tenant_1', index, amountAtto), `own-${index}`);
  }
  last = await append('tenant_1', kept, 'kept');
  const archive = new Archive({ url: urlAs('billing'), schema: 'billing' });
  await archive.prepare();
  const archiver = new Archiver(bus, archive, 'billing', silent);
  await archiver.start();
  while ((await archive.head(stream)).sequence < last) await new Promise(resolve => setTimeout(resolve, 25));
  await archiver.stop();
}

/** As `npm run astro` runs it, with the rights of the reader. */
function run(...args: string[]): Promise<{ code: number; output: string }> {
  const env = { ...process.env, NATS_URL: nats.url, DATABASE_URL: urlAs('gateway') };
  return new Promise(resolve => {
    const child = execFile(process.execPath, [entry, ...args], { env }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}

async function verify(changed: unknown, ...options: string[]): Promise<{ code: number; output: string }> {
  const file = join(dir, 'invoice.json');
  await writeFile(file, JSON.stringify(changed));
  return run('invoice', 'verify', file, ...options);
}

test('an invoice has the charges of its tenant, with the events that say so', async () => {
  const lines = invoice.lines.map(line => ['taskId' in line ? line.taskId : 'kept', line.amountAtto]);
  const ofTasks = amounts.map((amountAtto, index) => [`task_${index}`, String(amountAtto)]);
  expect(lines).toEqual([...ofTasks, ['kept', '200']]);
  expect(invoice.lines.map(({ event }) => event.position)).toEqual([3, 5, 7, 9, 11, 12]);
  expect(invoice).toMatchObject({ version: 2, totalAtto: String(10n ** 24n + 361n), throughPosition: 12 });
  const parts = { storageAtto: '200', feeAtto: '5', burnedAtto: '1', validatorsAtto: '2' };
  expect(invoice).toMatchObject(parts);
  expect(invoice.lines[5]).toMatchObject({
    ...{ from: '1970-01-01T00:00:00.000Z', through: '1970-01-01T01:00:00.000Z', arrearsAtto: '60' },
    ...{ gibHoursAtto: '700000000000000000', pricePerGibHourAtto: '200' },
  });
});

test('it is sound by the archive, and by its root alone', async () => {
  const said = `invoice of tenant_1 for ${month}: sound; 6 charges, 1000000000000000000000361 base units\n`;
  expect(await verify(invoice)).toEqual({ code: 0, output: said });
  expect(await verify(invoice, '--root', invoice.root)).toEqual({ code: 0, output: said });
});

test('an invoice from before kept content was on them is sound without it', async () => {
  const archive = new Archive({ url: urlAs('gateway'), schema: 'billing' });
  const of = { tenantId: 'tenant_1', month, hasNoStorage: true };
  let text = '';
  for await (const part of textFrom(archive, await stateFrom(archive, of, { throughPosition: 12 })))
    text += part;
  await archive.close();
  const earlier = JSON.parse(text) as Invoice;
  expect(earlier).toMatchObject({ version: 1, totalAtto: String(10n ** 24n + 161n) });
  expect(earlier).not.toHaveProperty('storageAtto');
  expect((await verify(earlier)).output).toContain('sound; 5 charges');
  expect(flawsOf({ ...earlier, version: 2 }, earlier.root)).toContain(
    'feeAtto: is undefined, the events say 0',
  );
  expect(flawsOf({ ...invoice, version: 1 }, invoice.root)).toContain(
    'lines[5].event: is no charge of this tenant and month',
  );
});

test('what kept content cost is computed again from its event', async () => {
  const index = 5;
  const changed = invoice.lines.map((line, place) =>
    place === index ? { ...line, arrearsAtto: '0' } : line,
  );
  expect((await verify({ ...invoice, lines: changed })).output).toContain(
    'lines[5].arrearsAtto: is 0, the event says 60',
  );
  expect((await verify({ ...invoice, storageAtto: '0' })).output).toContain(
    'storageAtto: is 0, the events say 200',
  );
  expect((await verify({ ...invoice, validatorsAtto: '3' })).output).toContain(
    'validatorsAtto: is 3, the events say 2',
  );
});

test('a month without charges is an invoice too', async () => {
  const { output } = await run('invoice', '--tenant', 'tenant_1', '--month', '2001-01');
  expect(JSON.parse(output)).toMatchObject({ lines: [], totalAtto: '0' });
  expect((await verify(JSON.parse(output))).code).toBe(0);
});

describe.each([['by the archive'], ['by the root']])('%s', way => {
  const check = (changed: unknown) =>
    verify(changed, ...(way === 'by the root' ? ['--root', invoice.root] : []));
  const withLine = (index: number, change: object) => ({
    ...invoice,
    lines: invoice.lines.map((line, place) => (place === index ? { ...line, ...change } : line)),
  });

  test('a changed amount is refused', async () => {
    const { code, output } = await check(withLine(1, { amountAtto: '6' }));
    expect([code, output]).toEqual([
      1,
      expect.stringContaining('lines[1].amountAtto: is 6, the event says 7'),
    ]);
    expect(output).toContain('totalAtto: is ');
  });

  test('a changed total is refused', async () => {
    const { code, output } = await check({ ...invoice, totalAtto: '1' });
    expect([code, output]).toEqual([1, expect.stringContaining('totalAtto: is 1, the lines sum to ')]);
  });

  test('a left-out event is refused, whatever the sum', async () => {
    const lines = invoice.lines.slice(1);
    const totalAtto = String(10n ** 24n + 241n);
    const { code, output } = await check({ ...invoice, lines, totalAtto });
    expect([code, output]).toEqual([1, expect.stringContaining('not all of them')]);
  });

  test('a changed event is refused, though its line says the same', async () => {
    const { event } = invoice.lines[2]!;
    const { payload } = invoice.lines[3]!.event;
    const { code, output } = await check(
      withLine(2, { event: { ...event, payload }, amountAtto: '1', taskId: 'task_3' }),
    );
    expect([code, output]).toEqual([1, expect.stringContaining('lines[2].proof: does not lead')]);
  });

  test('a foreign proof is refused', async () => {
    const { code, output } = await check(withLine(0, { proof: invoice.lines[1]!.proof }));
    expect([code, output]).toEqual([1, expect.stringContaining('lines[0].proof: does not lead')]);
  });

  test('the events of another tenant are refused', async () => {
    const { output } = await run('invoice', '--tenant', 'tenant_2', '--month', month);
    const foreign = JSON.parse(output) as Invoice;
    const { code, output: said } = await check({ ...foreign, tenantId: 'tenant_1' });
    expect([code, said]).toEqual([1, expect.stringContaining('is no charge of this tenant and month')]);
  });

  test('bytes that are no event are refused', async () => {
    const { event } = invoice.lines[0]!;
    const { code, output } = await check(withLine(0, { event: { ...event, payload: '/////w==' } }));
    expect([code, output]).toEqual([1, expect.stringContaining('lines[0].event: cannot be read')]);
  });
});

test('a number and a status belong to the tenant and the month', () => {
  const of = (name: Partial<Invoice>) => flawsOf({ ...invoice, ...name }, invoice.root);
  const number = invoiceNumberOf('tenant_1', month);
  expect(of({ number, status: 'issued' })).toEqual([]);
  expect(of({ number: `${number}-D7`, status: 'draft' })).toEqual([]);
  for (const other of [
    invoiceNumberOf('tenant_2', month),
    `${number}-D0`,
    `${number}-D07`,
    `${number}-D`,
    '',
  ])
    expect(of({ number: other, status: 'issued' })).toEqual([
      expect.stringContaining(`number: is ${other}, `),
    ]);
  expect(of({ number, status: 'draft' })).toEqual([expect.stringContaining('status: is draft')]);
  expect(of({ number: `${number}-D1`, status: 'issued' })).toEqual([expect.stringContaining('status: is ')]);
  expect(of({ number })).toEqual([expect.stringContaining('status: is undefined')]);
});

test('whatever is changed in it is found out, by its root alone', () => {
  const named = { ...invoice, number: invoiceNumberOf('tenant_1', month), status: 'issued' };
  expect(flawsOf(invoiceSchema.parse(named), invoice.root)).toEqual([]);
  const changes = [...changesOf(named)];
  expect(changes.length).toBeGreaterThan(60);
  for (const { path, changed } of changes) {
    const read = invoiceSchema.safeParse(changed);
    const isFound = !read.success || flawsOf(read.data, invoice.root).length > 0;
    // That no more was looked at than there is, only the archive can tell.
    expect([path, isFound]).toEqual([path, path !== 'throughPosition']);
  }
});

/** The same with one of its texts or numbers changed, one after the other. */
function* changesOf(value: unknown, path = ''): Generator<{ path: string; changed: unknown }> {
  if (typeof value === 'number') yield { path, changed: value + 1 };
  // The last digit but two: the last ones of bytes in base64 may stand for nothing.
  else if (typeof value === 'string' && value !== '') yield { path, changed: altered(value) };
  else if (typeof value === 'object' && value !== null)
    for (const [key, member] of Object.entries(value))
      for (const change of changesOf(member, path === '' ? key : `${path}.${key}`)) {
        const whole = Array.isArray(value) ? value.with(Number(key), change.changed) : undefined;
        yield { path: change.path, changed: whole ?? { ...value, [key]: change.changed } };
      }
}

function altered(text: string): string {
  const place = Math.max(0, text.length - 4);
  return text.slice(0, place) + (text[place] === '1' ? '2' : '1') + text.slice(place + 1);
}

test('what is no invoice, and a wrong command line, are told', async () => {
  expect(await verify({ ...invoice, currency: 'USD' })).toMatchObject({
    code: 1,
    output: expect.stringContaining('currency: '),
  });
  expect(await verify({ ...invoice, totalAtto: '1.5' })).toMatchObject({
    code: 1,
    output: expect.stringContaining('totalAtto: must be a whole number of base units'),
  });
  expect(await run('invoice', '--tenant', 'tenant_1')).toMatchObject({ code: 2 });
  expect(await run('invoice', '--tenant', 'tenant_1', '--month', '2026-13')).toMatchObject({ code: 2 });
});
