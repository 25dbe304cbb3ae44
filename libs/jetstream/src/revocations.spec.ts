import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AGENT_JWT_TTL_MAX_SECONDS } from './credentials.js';
import { withRevoked } from './revocations.js';

const now = new Date('2026-01-02T00:00:00Z');
const nowSeconds = now.getTime() / 1_000;
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1_000);

describe('revocations of an account', () => {
  test('reach as far as what may still be issued after the fact', () => {
    expect(withRevoked({}, [{ publicKey: 'U1', revokedAt: now }], now)).toEqual({ U1: nowSeconds + 60 });
  });
  test('are never taken back by an earlier one of the same key', () => {
    const current = { U1: nowSeconds };
    expect(withRevoked(current, [{ publicKey: 'U1', revokedAt: ago(100) }], now)).toEqual(current);
  });
  test('are dropped once all that they were about has expired', () => {
    const current = {
      U1: nowSeconds - AGENT_JWT_TTL_MAX_SECONDS - 1,
      U2: nowSeconds - AGENT_JWT_TTL_MAX_SECONDS,
    };
    expect(Object.keys(withRevoked(current, [], now))).toEqual(['U2']);
  });
  test('that are too many make everybody renew what is older than those that had no room', () => {
    const many = Array.from({ length: 10_002 }, (_, index) => ({
      publicKey: `U${index}`,
      revokedAt: ago(index),
    }));
    const revocations = withRevoked({}, many, now);
    expect(Object.keys(revocations)).toHaveLength(10_001);
    expect(revocations['*']).toBe(nowSeconds + 60 - 10_000);
    expect(withRevoked(revocations, many, now)).toEqual(revocations);
  });
  test('come out the same, in whatever order and however often they are told', () => {
    const key = fc.record({
      publicKey: fc.constantFrom('U1', 'U2', 'U3'),
      revokedAt: fc.integer({ min: 0, max: 2 * AGENT_JWT_TTL_MAX_SECONDS }).map(ago),
    });
    fc.assert(
      fc.property(fc.array(key), keys => {
        const once = withRevoked({}, keys, now);
        expect(withRevoked(once, keys.toReversed(), now)).toEqual(once);
        expect(keys.toReversed().reduce((all, next) => withRevoked(all, [next], now), {})).toEqual(once);
      }),
    );
  });
});
