import { deepStrictEqual, equal, ok } from 'node:assert/strict';
import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import { comesBack, shapeDigestOf } from '@astro/event-sourcing/specify-snapshot';
import type { StorageCommand, StorageEvent } from '@astro/messages/billing';
import fc from 'fast-check';
import { storage, storageLimits, type Storage } from './storage.js';

const given = specify(storage);
const tenantId = 'tenant_1';
const GIB = 2 ** 30;
const HOUR_MS = 3_600_000;
const GIB_HOUR = 10n ** 18n;
const at = (hours: number) => new Date(Date.UTC(2026, 0, 1) + hours * HOUR_MS);

const store = (cid: string, sizeBytes: number, hours: number): StorageCommand => ({
  type: 'StoreContent',
  data: { tenantId, contents: [{ cid, sizeBytes }], at: at(hours) },
});
const stored = (cid: string, sizeBytes: number, hours: number): StorageEvent => ({
  type: 'ContentStored',
  data: { tenantId, contents: [{ cid, sizeBytes }], storedAt: at(hours) },
});
const release = (cid: string, hours: number): StorageCommand => ({
  type: 'ReleaseContent',
  data: { tenantId, cid, at: at(hours) },
});
const released = (cid: string, sizeBytes: number, hours: number): StorageEvent => ({
  type: 'ContentReleased',
  data: { tenantId, cid, sizeBytes, releasedAt: at(hours) },
});
const meter = (hours: number): StorageCommand => ({
  type: 'MeterStorage',
  data: { tenantId, through: at(hours) },
});
const metered = (from: number, through: number, gibHoursAtto: bigint): StorageEvent => ({
  type: 'StorageMetered',
  data: { tenantId, from: at(from), through: at(through), gibHoursAtto },
});

describe('content', () => {
  test('is held from when it was stored', () =>
    given()
      .when(store('a', GIB, 0))
      .then(stored('a', GIB, 0)));
  test('that is held already changes nothing', () =>
    given(stored('a', GIB, 0))
      .when(store('a', GIB, 1))
      .thenNothing());
  test('is held once, however often it is named', () =>
    given(stored('a', 7, 0))
      .when({
        type: 'StoreContent',
        data: {
          tenantId,
          contents: ['a', 'b', 'b'].map(cid => ({ cid, sizeBytes: 7 })),
          at: at(1),
        },
      })
      .then(stored('b', 7, 1)));
  test('is given back with the size that it was held with', () =>
    given(stored('a', 7, 0))
      .when(release('a', 1))
      .then(released('a', 7, 1)));
  test('that is not held need not be given back', () => given().when(release('a', 1)).thenNothing());
  test('of another tenant is refused', () =>
    given(stored('a', 7, 0))
      .when({ type: 'MeterStorage', data: { tenantId: 'tenant_2', through: at(1) } })
      .thenRejected('StorageIsOfAnotherTenant'));
  test.each([-1, 0.5, NaN, 2 ** 64])('of %d bytes is refused', sizeBytes =>
    given()
      .when(store('a', sizeBytes, 0))
      .thenRejected('ContentIsInvalid'),
  );
  test('beyond the limit is refused', () => {
    const contents = Array.from({ length: storageLimits.contents }, (_, index) => ({
      cid: `c${index}`,
      sizeBytes: 1,
    }));
    given({ type: 'ContentStored', data: { tenantId, contents, storedAt: at(0) } })
      .when(store('one more', 1, 1))
      .thenRejected('TooManyContents');
  });
});

describe('what was kept is metered', () => {
  test('by size and time', () =>
    given(stored('a', GIB, 0), stored('b', GIB / 2, 1))
      .when(meter(2))
      .then(metered(0, 2, (GIB_HOUR * 5n) / 2n)));
  test('until it was given back', () =>
    given(stored('a', GIB, 0), released('a', GIB, 1))
      .when(meter(4))
      .then(metered(0, 4, GIB_HOUR)));
  test('once for each period', () =>
    given(stored('a', GIB, 0), metered(0, 1, GIB_HOUR))
      .when(meter(1))
      .thenNothing());
  test('for all periods that were missed', () =>
    given(stored('a', GIB, 0), metered(0, 1, GIB_HOUR))
      .when(meter(30))
      .then(metered(1, 30, 29n * GIB_HOUR)));
  test('as far as is recorded already when its period has ended before', () =>
    given(stored('a', GIB, 0), stored('b', GIB, 3))
      .when(meter(2))
      .then(metered(0, 3, 3n * GIB_HOUR)));
  test('but never where nothing was', () => given().when(meter(1)).thenNothing());
});

const anyCommand = fc.oneof(
  fc
    .tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(GIB), fc.nat(48))
    .map(([cid, size, hours]) => store(cid, size, hours)),
  fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(48)).map(([cid, hours]) => release(cid, hours)),
  fc.nat(48).map(meter),
);
const anyCommands = fc.array(anyCommand, { maxLength: 30, size: 'max' });

function run(commands: readonly StorageCommand[]) {
  let state: Storage = storage.initialState;
  const events: StorageEvent[] = [];
  for (const command of commands) {
    const decision = storage.decide(command, state);
    if (!decision.accepted) continue;
    events.push(...decision.events);
    state = decision.events.reduce(storage.evolve, state);
  }
  return { events, state };
}

/** What was kept, one content after the other, from the recorded events alone. */
function keptBy(events: readonly StorageEvent[], untilMs: number): bigint {
  const since = new Map<string, { readonly size: number; readonly ms: number }>();
  let byteMs = 0n;
  const count = (kept: { readonly size: number; readonly ms: number }, ms: number) =>
    (byteMs += BigInt(kept.size) * BigInt(ms - kept.ms));
  for (const { type, data } of events) {
    if (type === 'ContentStored')
      for (const { cid, sizeBytes } of data.contents)
        since.set(cid, { size: sizeBytes, ms: data.storedAt.getTime() });
    if (type !== 'ContentReleased') continue;
    count(since.get(data.cid)!, data.releasedAt.getTime());
    since.delete(data.cid);
  }
  for (const kept of since.values()) count(kept, untilMs);
  return byteMs;
}

test('whatever is stored and given back, in whatever order it comes, is metered once and whole', () =>
  fc.assert(
    fc.property(anyCommands, commands => {
      const { events } = run([...commands, meter(100)]);
      const periods = events.flatMap(({ type, data }) => (type === 'StorageMetered' ? [data] : []));
      periods.slice(1).forEach(({ from }, index) => deepStrictEqual(from, periods[index]!.through));
      const sum = periods.reduce((total, { gibHoursAtto }) => total + gibHoursAtto, 0n);
      const kept = (keptBy(events, at(100).getTime()) * GIB_HOUR) / (BigInt(GIB) * BigInt(HOUR_MS));
      ok(sum <= kept && kept - sum <= BigInt(periods.length), `${sum} of ${kept}`);
      for (const { gibHoursAtto } of periods) ok(gibHoursAtto >= 0n);
    }),
    { numRuns: 500 },
  ));

test('the bytes are those of the contents that are held', () =>
  fc.assert(
    fc.property(anyCommands, commands => {
      const { state } = run(commands);
      equal(state.bytes, BigInt([...state.contents.values()].reduce((sum, size) => sum + size, 0)));
      comesBack(storage.snapshot!, state);
    }),
  ));

test('a state of another shape has another version of its snapshot', () => {
  const states = fc.sample(anyCommands, { numRuns: 100, seed: 7 }).map(commands => run(commands).state);
  expect(`${storage.snapshot!.version} ${shapeDigestOf(states)}`).toBe('1 0a926a6e608adcbd');
});
