import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FairShares } from './fair-shares.js';

const HOUR = 3_600_000;
const shares = (capacity = [100, 1_000]) => new FairShares({ capacity, halfLifeMs: HOUR });

test('the dominant resource counts: 10 of 100 GPUs weigh more than 50 of 1000 cores', () => {
  const pool = shares();
  pool.hold('a', [10, 50], 0);
  expect(pool.useOfEntitlement('a', 0)).toBeCloseTo(0.05); // held now, nothing in the past: half of 10 %
});

test('a tenant who is not known has used nothing', () => expect(shares().useOfEntitlement('a', 0)).toBe(0));

test('after one half-life half of the use is forgotten', () => {
  const pool = shares();
  pool.hold('a', [40, 0], 0);
  pool.giveBack('a', [40, 0], 100 * HOUR); // by then the average is what was held
  expect(pool.useOfEntitlement('a', 100 * HOUR)).toBeCloseTo(0.2);
  expect(pool.useOfEntitlement('a', 101 * HOUR)).toBeCloseTo(0.1);
  expect(pool.useOfEntitlement('a', 102 * HOUR)).toBeCloseTo(0.05);
});

test('who used much yesterday is behind who holds the same today', () => {
  const pool = shares();
  pool.hold('old', [20, 0], 0);
  pool.hold('new', [20, 0], 10 * HOUR);
  expect(pool.useOfEntitlement('old', 10 * HOUR)).toBeGreaterThan(
    1.9 * pool.useOfEntitlement('new', 10 * HOUR),
  );
});

test('an idle tenant is forgotten when its use has faded, one that holds something is not', () => {
  const pool = shares();
  for (const tenant of ['idle', 'busy']) pool.hold(tenant, [20, 0], 0);
  pool.giveBack('idle', [20, 0], HOUR);
  pool.forgetIdle(2 * HOUR);
  const withBoth = pool.useOfEntitlement('busy', 60 * HOUR);
  pool.forgetIdle(60 * HOUR);
  expect(pool.useOfEntitlement('busy', 60 * HOUR)).toBeCloseTo(withBoth / 2); // its entitlement has doubled
});

test('what is read does not depend on how often it was read before', () => {
  const anyReads = fc.array(fc.integer({ min: 0, max: 1_000 }), { maxLength: 20 });
  fc.assert(
    fc.property(anyReads, reads => {
      const [often, once] = [shares(), shares()];
      for (const pool of [often, once]) pool.hold('a', [30, 10], 0);
      for (const atMs of [...reads].sort((a, b) => a - b)) often.useOfEntitlement('a', atMs * 1_000);
      expect(often.useOfEntitlement('a', HOUR)).toBeCloseTo(once.useOfEntitlement('a', HOUR), 9);
    }),
  );
});

test('giving each time to who is furthest below ends with shares in proportion to the weights', () => {
  const anyTenants = fc.array(
    fc.record({ weight: fc.integer({ min: 1, max: 5 }), gpus: fc.integer({ min: 1, max: 3 }) }),
    { minLength: 2, maxLength: 6 },
  );
  fc.assert(
    fc.property(anyTenants, tenants => {
      const pool = shares([10_000]);
      tenants.forEach(({ weight }, index) => pool.setWeight(`t${index}`, weight, 0));
      const held = tenants.map(() => 0);
      for (let grant = 0; grant < 300; grant++) {
        const use = tenants.map((_, index) => pool.useOfEntitlement(`t${index}`, 0));
        const next = use.indexOf(Math.min(...use));
        held[next] = held[next]! + tenants[next]!.gpus;
        pool.hold(`t${next}`, [tenants[next]!.gpus], 0);
      }
      const perWeight = tenants.map(({ weight }, index) => held[index]! / weight);
      const largestTask = Math.max(...tenants.map(({ gpus, weight }) => gpus / weight));
      expect(Math.max(...perWeight) - Math.min(...perWeight)).toBeLessThanOrEqual(largestTask + 1e-9);
    }),
  );
});

test.each([
  [{ capacity: [], halfLifeMs: 1 }, /^capacity: 1 to 16/],
  [{ capacity: [0], halfLifeMs: 1 }, /^capacity: every amount/],
  [{ capacity: [NaN], halfLifeMs: 1 }, /^capacity: every amount/],
  [{ capacity: [1], halfLifeMs: 0 }, /^halfLifeMs:/],
])('rules %# are refused', (rules, message) => expect(() => new FairShares(rules)).toThrow(message));

test.each([0, -1, NaN, Infinity])('the weight %d is refused', weight =>
  expect(() => shares().setWeight('a', weight, 0)).toThrow(/^weight:/),
);
