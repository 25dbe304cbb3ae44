import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { initialScale, scaleService, type ServiceBounds } from './replicas.js';

const bounds: ServiceBounds = {
  replicasMin: 1,
  replicasMax: 10,
  loadPerReplica: 100,
  tolerance: 0.1,
  coolDownMs: 60_000,
};
const after = (observations: readonly (readonly [atMs: number, load: number])[], of = bounds) => {
  let scale = initialScale(of);
  return observations.map(([atMs, load]) => (scale = scaleService(scale, { atMs, load }, of)).replicas);
};

describe('a service', () => {
  test('begins with its least', () => expect(initialScale({ ...bounds, replicasMin: 3 }).replicas).toBe(3));

  test('has at once as many replicas as its load needs', () => expect(after([[0, 450]])).toEqual([5]));

  test('never has more than its most, nor fewer than its least', () =>
    expect(
      after([
        [0, 99_999],
        [100_000, 0],
      ]),
    ).toEqual([10, 1]));

  test('keeps what it has within the tolerance', () =>
    expect(
      after([
        [0, 500],
        [1, 549],
        [2, 551],
      ]),
    ).toEqual([5, 5, 6]));

  test('gives up replicas only when fewer have sufficed for the whole cool-down', () =>
    expect(
      after([
        [0, 500],
        [30_000, 100],
        [60_000, 300],
        [61_000, 100],
        [90_001, 100],
        [122_000, 100],
      ]),
    ).toEqual([5, 5, 5, 3, 3, 1]));

  test('without a cool-down it follows its load', () =>
    expect(
      after(
        [
          [0, 500],
          [1, 100],
        ],
        { ...bounds, coolDownMs: 0 },
      ),
    ).toEqual([5, 1]));

  test('that may sleep does so without load, and wakes with it', () =>
    expect(
      after(
        [
          [0, 100],
          [70_000, 0],
          [70_001, 1],
        ],
        { ...bounds, replicasMin: 0 },
      ),
    ).toEqual([1, 0, 1]));
});

describe('whatever the load', () => {
  const anyObservations = fc
    .array(
      fc.record({ stepMs: fc.integer({ min: 1, max: 20_000 }), load: fc.integer({ min: 0, max: 1_500 }) }),
      {
        maxLength: 60,
      },
    )
    .map(all => {
      let atMs = 0;
      return all.map(({ stepMs, load }) => [(atMs += stepMs), load] as const);
    });

  test('the count stays within the bounds, carries the load, and what is remembered stays small', () => {
    fc.assert(
      fc.property(anyObservations, observations => {
        let scale = initialScale(bounds);
        for (const [atMs, load] of observations) {
          scale = scaleService(scale, { atMs, load }, bounds);
          const { replicas } = scale;
          expect(replicas >= 1 && replicas <= 10).toBe(true);
          expect(replicas * 100 * 1.1 >= Math.min(load, 1_000) - 1e-9).toBe(true);
          expect(scale.recent.length).toBeLessThanOrEqual(34);
        }
      }),
    );
  });

  test('it never falls below what was needed within the cool-down', () => {
    fc.assert(
      fc.property(anyObservations, observations => {
        const counts = after(observations);
        observations.forEach(([atMs], index) => {
          const lately = observations
            .slice(0, index + 1)
            .filter(([seenMs]) => seenMs >= atMs - bounds.coolDownMs)
            .map(([, load]) => load);
          // Within the tolerance fewer than the rounded-up need may do.
          const least = Math.min(10, Math.ceil(Math.max(...lately) / 110));
          expect(counts[index]).toBeGreaterThanOrEqual(least);
        });
      }),
    );
  });

  test('a steady load leads to a steady count', () => {
    fc.assert(
      fc.property(anyObservations, fc.integer({ min: 0, max: 1_500 }), (observations, load) => {
        const endMs = observations.at(-1)?.[0] ?? 0;
        const steady = Array.from({ length: 40 }, (_, step) => [endMs + (step + 1) * 5_000, load] as const);
        const counts = after([...observations, ...steady]).slice(-20);
        expect(new Set(counts).size).toBe(1);
      }),
    );
  });
});

test.each<[string, Partial<ServiceBounds>]>([
  ['replicasMin', { replicasMin: -1 }],
  ['replicasMax', { replicasMax: 0 }],
  ['replicasMax', { replicasMax: 2 ** 64 }],
  ['loadPerReplica', { loadPerReplica: 0 }],
  ['tolerance', { tolerance: 1 }],
  ['coolDownMs', { coolDownMs: NaN }],
])('a bad %s is refused by name', (field, fields) =>
  expect(() => initialScale({ ...bounds, ...fields })).toThrow(new RegExp(`^${field}:`)),
);

test.each([-1, NaN, Infinity])('the load %d is refused', load =>
  expect(() => after([[0, load]])).toThrow(/^load:/),
);
