import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { planPreemption, type InterruptibleLease } from './preemption.js';

type Lease = InterruptibleLease & { readonly gpus: number };
const lease = (leaseId: string, placeId: string, gpus: number, lostWork: number): Lease => ({
  leaseId,
  placeId,
  gpus,
  lostWork,
});
const sum = (leases: readonly Lease[], of: 'gpus' | 'lostWork') =>
  leases.reduce((all, each) => all + each[of], 0);
const plan = (
  leases: readonly Lease[],
  needs: number,
  free: Readonly<Record<string, number>> = {},
  leasesMax = 99,
) =>
  planPreemption<Lease>({
    leases,
    fits: (placeId, gone) => (free[placeId] ?? 0) + sum(gone, 'gpus') >= needs,
    nowMs: 1_000,
    noticeMs: 30_000,
    leasesMax,
  });

describe('a plan', () => {
  test('stops the leases with the least lost work, and tells until when they may run', () =>
    expect(plan([lease('a', 'n1', 4, 50), lease('b', 'n1', 4, 20), lease('c', 'n2', 4, 30)], 4)).toEqual({
      placeId: 'n1',
      leaseIds: ['b'],
      lostWork: 20,
      stopAtMs: 31_000,
    }));

  test('frees what is needed in one place, and not the same amount here and there', () => {
    const leases = [lease('a', 'n1', 4, 1), lease('b', 'n2', 4, 1), lease('c', 'n3', 8, 90)];
    expect(plan(leases, 8)?.leaseIds).toEqual(['c']);
  });

  test('counts what is free there already', () =>
    expect(plan([lease('a', 'n1', 2, 9), lease('b', 'n2', 2, 1)], 4, { n1: 2 })).toMatchObject({
      placeId: 'n1',
      leaseIds: ['a'],
    }));

  test('prefers two small losses to a large one, and one lease to two of the same loss', () => {
    const two = [lease('a', 'n1', 2, 10), lease('b', 'n1', 2, 10), lease('c', 'n1', 4, 21)];
    expect(plan(two, 4)?.leaseIds).toEqual(['a', 'b']);
    expect(plan([...two.slice(0, 2), lease('c', 'n1', 4, 20)], 4)?.leaseIds).toEqual(['c']);
  });

  test('stops nobody where the task fits already', () =>
    expect(plan([lease('a', 'n1', 4, 0)], 4, { n1: 4 })?.leaseIds).toEqual([]));

  test('is none where no place would do', () => expect(plan([lease('a', 'n1', 4, 0)], 8)).toBeUndefined());

  test('is none beyond the limit of leases', () =>
    expect(plan([lease('a', 'n1', 4, 0), lease('b', 'n1', 4, 0)], 8, {}, 1)).toBeUndefined());

  test.each([-1, NaN])('the lost work %d is refused', lostWork =>
    expect(() => plan([lease('a', 'n1', 1, lostWork)], 1)).toThrow(/^lostWork of a:/),
  );
});

const anyLeases = (maxLength: number, places: readonly string[]) =>
  fc
    .array(
      fc.record({
        placeId: fc.constantFrom(...places),
        gpus: fc.integer({ min: 1, max: 4 }),
        lostWork: fc.nat(20),
      }),
      { maxLength, size: 'max' },
    )
    .map(all => all.map((f, at) => lease(`l${at}`, f.placeId, f.gpus, f.lostWork)));
const anyNeed = fc.integer({ min: 1, max: 10 });
const chosen = (leases: readonly Lease[], ids: readonly string[]) =>
  leases.filter(({ leaseId }) => ids.includes(leaseId));

describe('whatever the leases', () => {
  test('those of a plan are all in its place, suffice, and not one of them could stay', () => {
    fc.assert(
      fc.property(anyLeases(60, ['n1', 'n2']), anyNeed, (leases, needs) => {
        const found = plan(leases, needs);
        const most = ['n1', 'n2'].map(id =>
          sum(
            leases.filter(({ placeId }) => placeId === id),
            'gpus',
          ),
        );
        expect(found !== undefined).toBe(Math.max(...most) >= needs);
        if (!found) return;
        const gone = chosen(leases, found.leaseIds);
        expect(gone.every(({ placeId }) => placeId === found.placeId)).toBe(true);
        expect(sum(gone, 'gpus')).toBeGreaterThanOrEqual(needs);
        for (const { gpus } of gone) expect(sum(gone, 'gpus') - gpus).toBeLessThan(needs);
        expect(sum(gone, 'lostWork')).toBe(found.lostWork);
      }),
    );
  });

  test('up to 12 in a place no combination anywhere would have lost less', () => {
    fc.assert(
      fc.property(anyLeases(10, ['n1', 'n2']), anyNeed, (leases, needs) => {
        const losses = ['n1', 'n2'].flatMap(id => {
          const there = leases.filter(({ placeId }) => placeId === id);
          return Array.from({ length: 2 ** there.length }, (_, mask) =>
            there.filter((_lease, bit) => mask & (1 << bit)),
          )
            .filter(gone => sum(gone, 'gpus') >= needs)
            .map(gone => sum(gone, 'lostWork'));
        });
        expect(plan(leases, needs)?.lostWork ?? Infinity).toBe(Math.min(Infinity, ...losses));
      }),
    );
  });

  test('the order in which they are listed changes nothing', () => {
    fc.assert(
      fc.property(anyLeases(30, ['n1', 'n2', 'n3']), anyNeed, (leases, needs) =>
        expect(plan([...leases].reverse(), needs)).toEqual(plan(leases, needs)),
      ),
    );
  });
});
