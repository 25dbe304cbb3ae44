import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Platform } from '@astro/devstack/platform';
import type { Bus } from '@astro/jetstream/bus';
import { replay } from '@astro/jetstream/replay';
import type { PoolEvent } from '@astro/messages/scheduling';
import { auditEvents } from './audit.js';
import { endlessProgram, idleProgram } from './broken-programs.js';
import { Client, type JobRequest } from './client.js';
import { untilSettled } from './main-job.js';
import { openHonestMarket } from './market.js';

/** A node apart from the others, that one task fills. */
const region = 'ca-tor';
const node = {
  name: 'alone',
  region,
  pricePerSecondAtto: 10n ** 14n,
  cpuMillis: 1_000,
  memoryMib: 512,
};

let stateDir: string;
let platform: Platform;
let client: Client;
let stranger: Client;
let bus: Bus;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'astro-preemption-'));
  platform = await Platform.start({ stateDir });
  client = new Client(platform.gatewayUrl, (await openHonestMarket(platform)).tenantKey);
  const administration = platform.administration();
  const { apiKey } = await administration.registerOperator('Alone Ltd');
  await platform.startAgent({ ...node, operatorKey: apiKey });
  const other = await administration.registerTenant('a stranger');
  await administration.credit(other.tenantId, 10n ** 18n);
  stranger = new Client(platform.gatewayUrl, other.apiKey);
  bus = await platform.connectBus('spec');
}, 180_000);

afterAll(async () => {
  await platform?.stop();
  await rm(stateDir, { recursive: true, force: true });
}, 60_000);

/** Another that asks for what it moves. */
const carrier = { ...node, name: 'carrier', region: 'ca-van', pricePerGibTransferredAtto: 10n ** 20n };

const jobOf = (cid: string, timeLimitMs: number): JobRequest => ({
  name: 'a task that fills the node',
  program: { cid, timeLimitMs, memoryLimitMib: 4, outputLimitBytes: 1_024 },
  requirements: {
    deviceKind: 'cpu',
    cpuMillis: node.cpuMillis,
    memoryMib: 64,
    maxPricePerSecondAtto: String(10n ** 16n),
    regions: [region],
  },
  quorum: 1,
  tasks: [{ inputs: [] }],
});

async function poolEvents(): Promise<readonly PoolEvent[]> {
  const found: PoolEvent[] = [];
  for await (const { aggregate, event } of replay(bus, 'scheduling'))
    if (aggregate.type === 'scheduling.pool') found.push(event as PoolEvent);
  return found;
}

/** The test's own time limit ends a vain wait. */
async function untilStarted(jobId: string): Promise<void> {
  while ((await client.job(jobId)).tasks[0]?.status !== 'running') await sleep(50);
}

test('a preempted lease is charged for what it completed, which is nothing, and the ledger sums to zero', async () => {
  const endless = {
    ...jobOf(await client.putContent(endlessProgram), 600_000),
    leaseClass: 'interruptible' as const,
  };
  const spot = await client.submit(endless, 'spot');
  await untilStarted(spot.id);

  const urgent = await client.submit(jobOf(await client.putContent(idleProgram), 5_000), 'urgent');
  for await (const event of client.events(urgent.id)) void event;
  expect(await client.ended(urgent.id)).toMatchObject({ status: 'succeeded' });
  await client.cancel(spot.id);
  for await (const event of client.events(spot.id)) void event;
  await untilSettled(client);

  const events = await poolEvents();
  const [revoked] = events.flatMap(event => (event.type === 'LeasesRevoked' ? event.data.leases : []));
  expect(revoked).toMatchObject({ jobId: spot.id });
  const results = events.flatMap(event => (event.type === 'LeaseCompleted' ? [event.data] : []));
  expect(results.map(({ jobId }) => jobId)).toEqual([urgent.id]);
  const { meteredMs, pricePerSecondAtto } = results[0]!.result;
  const granted = events
    .flatMap(event => (event.type === 'LeasesGranted' ? event.data.grants : []))
    .find(({ jobId }) => jobId === urgent.id)!;
  expect(pricePerSecondAtto).toBe(granted.pricePerSecondAtto);

  const audit = await auditEvents(bus);
  expect(audit.charges.chargedAtto).toBe((BigInt(meteredMs) * pricePerSecondAtto + 999n) / 1_000n);
  expect(audit.unbalanced).toEqual([]);
  expect(audit.ledgerSumAtto).toBe(0n);
}, 240_000);

test('a node that asks for transfer is paid for exactly the time and the bytes, but not for its cache', async () => {
  const { apiKey } = await platform.administration().registerOperator('Carrier Ltd');
  await platform.startAgent({ ...carrier, operatorKey: apiKey });
  const input = new Uint8Array(1_000_003).fill(7);
  const free = jobOf(await client.putContent(idleProgram), 5_000);
  const job: JobRequest = {
    ...free,
    requirements: {
      ...free.requirements,
      regions: [carrier.region],
      maxPricePerGibTransferredAtto: String(2n * carrier.pricePerGibTransferredAtto),
    },
    tasks: [{ inputs: [{ name: 'input', cid: await client.putContent(input) }] }],
  };
  const chargeOf = async (name: string) => {
    const { id } = await client.submit(job, name);
    for await (const event of client.events(id)) void event;
    expect(await client.ended(id)).toMatchObject({ status: 'succeeded' });
    await untilSettled(client);
    return id;
  };
  const ids = [await chargeOf('carried'), await chargeOf('cached')];
  const results = (await poolEvents()).flatMap(event =>
    event.type === 'LeaseCompleted' && ids.includes(event.data.jobId) ? [event.data.result] : [],
  );
  const bytes = [idleProgram.length + input.length, 0];
  expect(results.map(({ transferred }) => transferred)).toEqual(
    bytes.map(fetchedBytes => ({ fetchedBytes, uploadedBytes: 0 })),
  );
  const { items } = await client.json<{ readonly items: readonly Usage[] }>('/v1/usage');
  for (const [index, jobId] of ids.entries()) {
    const timeAtto = (BigInt(results[index]!.meteredMs) * results[index]!.pricePerSecondAtto + 999n) / 1_000n;
    const product = BigInt(bytes[index]!) * carrier.pricePerGibTransferredAtto;
    const transferAtto = (product + 2n ** 30n - 1n) / 2n ** 30n;
    expect(items.find(usage => usage.jobId === jobId)).toMatchObject({
      chargedAtto: `${timeAtto + transferAtto}`,
      transferAtto: `${transferAtto}`,
      transferredBytes: `${bytes[index]}`,
    });
  }
  expect((await auditEvents(bus)).ledgerSumAtto).toBe(0n);
}, 240_000);

type Usage = {
  readonly jobId: string;
  readonly chargedAtto: string;
  readonly transferAtto: string;
  readonly transferredBytes: string;
};
test('booked capacity is its tenant’s alone, paid by the second and not again for what runs in it', async () => {
  const cid = await client.putContent(idleProgram);
  const job = jobOf(cid, 5_000);
  const endsAt = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 3_600_000).toISOString();
  const { id } = await client.reserve({ requirements: job.requirements, endsAt }, 'reserve');
  while ((await client.reservation(id)).status !== 'active') await sleep(50);
  const { amountAtto } = await client.reservation(id);

  const within = { ...job, leaseClass: 'reserved' as const, reservationId: id };
  const intruder = await stranger.submit(within, 'intruder');
  for await (const event of stranger.events(intruder.id)) void event;
  expect(await stranger.ended(intruder.id)).toMatchObject({
    status: 'failed',
    reason: 'booking_unavailable',
  });
  const waiting = await stranger.submit(job, 'waiting');
  const own = await client.submit(within, 'own');
  for await (const event of client.events(own.id)) void event;
  expect(await client.ended(own.id)).toMatchObject({ status: 'succeeded' });
  expect(await stranger.job(waiting.id)).toMatchObject({ status: 'queued' });

  await client.cancelReservation(id);
  for await (const event of stranger.events(waiting.id)) void event;
  expect(await stranger.ended(waiting.id)).toMatchObject({ status: 'succeeded' });
  await untilSettled(client);

  const events = (await poolEvents()).filter(({ data }) => 'bookingId' in data && data.bookingId === id);
  expect(events.map(({ type }) => type)).toEqual([
    'CapacityBooked',
    'BookingConfirmed',
    'BookingStarted',
    'BookingEnded',
  ]);
  const [booked] = events.flatMap(({ type, data }) => (type === 'CapacityBooked' ? [data] : []));
  const [ended] = events.flatMap(({ type, data }) => (type === 'BookingEnded' ? [data] : []));
  const priceAtto = (node.pricePerSecondAtto * 5n) / 4n;
  expect(booked!.units).toMatchObject([{ pricePerSecondAtto: priceAtto }]);
  expect(amountAtto).toBe(String(booked!.amountAtto));
  const noticeSeconds = 900;
  const begun = Math.ceil(ended!.endedAt.getTime() / 1_000) - booked!.startsAt.getTime() / 1_000;
  const chargedForIt = BigInt(begun + noticeSeconds) * priceAtto;
  expect(await client.reservation(id)).toMatchObject({ status: 'ended', chargedAtto: String(chargedForIt) });
  const { chargedAtto: forTheJob } = await client.json<{ chargedAtto: string }>(`/v1/jobs/${own.id}`);
  expect(forTheJob).toBe('0');

  const audit = await auditEvents(bus);
  expect(audit.unbalanced).toEqual([]);
  expect(audit.ledgerSumAtto).toBe(0n);
}, 240_000);
