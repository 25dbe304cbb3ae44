import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { AffiliationKind, OperatorCommand, OperatorEvent } from '@astro/messages/registry';
import fc from 'fast-check';
import { affiliationLimits } from './affiliation-rules.js';
import { operator } from './operator.js';

const operatorId = 'operator_1';
const registered: OperatorEvent = { type: 'OperatorRegistered', data: { operatorId, name: 'Aurora Labs' } };
const given = (...history: readonly OperatorEvent[]) => specify(operator)(registered, ...history);
const hours = (count: number) => new Date(count * 3_600_000);
const of = (key: string, kind: AffiliationKind = 'network') => ({ operatorId, affiliation: { kind, key } });
const affiliate = (key: string, at = hours(0), kind?: AffiliationKind): OperatorCommand => ({
  type: 'AffiliateOperator',
  data: { ...of(key, kind), at },
});
const affiliated = (key: string, seenAt = hours(0), kind?: AffiliationKind): OperatorEvent => ({
  type: 'OperatorAffiliated',
  data: { ...of(key, kind), seenAt },
});
const left = (key: string, kind?: AffiliationKind): OperatorEvent => ({
  type: 'OperatorDisaffiliated',
  data: of(key, kind),
});
const disaffiliate = (key: string): OperatorCommand => ({ type: 'DisaffiliateOperator', data: of(key) });

describe('what an operator has in common with others', () => {
  test('is recorded when it is seen', () => given().when(affiliate('n1')).then(affiliated('n1')));
  test('is not recorded again within half a day', () =>
    given(affiliated('n1'))
      .when(affiliate('n1', hours(11)))
      .thenNothing());
  test('is recorded again after it', () =>
    given(affiliated('n1'))
      .when(affiliate('n1', hours(12)))
      .then(affiliated('n1', hours(12))));
  test('stays while another is seen', () =>
    given(affiliated('n1'))
      .when(affiliate('n2', hours(71)))
      .then(affiliated('n2', hours(71))));
  test('ends once the network has not been seen for three days', () =>
    given(affiliated('n1'))
      .when(affiliate('n2', hours(72)))
      .then(affiliated('n2', hours(72)), left('n1')));
  test('ends when it is taken back', () => given(affiliated('n1')).when(disaffiliate('n1')).then(left('n1')));
  test('is taken back once', () =>
    given(affiliated('n1'), left('n1')).when(disaffiliate('n1')).thenNothing());
  test('is a wallet for ever', () =>
    given(affiliated('w1', hours(0), 'funding'))
      .when(affiliate('w2', hours(9_000), 'funding'))
      .then(affiliated('w2', hours(9_000), 'funding')));
});

describe('refused is', () => {
  test('a kind that is missing', () =>
    given()
      .when(affiliate('n1', hours(0), 'unspecified'))
      .thenRejected('AffiliationIsInvalid'));
  test.each(['', 'x'.repeat(affiliationLimits.keyLength + 1)])('the key %j', key =>
    given().when(affiliate(key)).thenRejected('AffiliationIsInvalid'),
  );
  test('an operator that nobody knows', () =>
    specify(operator)().when(affiliate('n1')).thenRejected('OperatorNotRegistered'));
});

test('however many are seen, no more of a kind are known than there may be, and the last is among them', () =>
  fc.assert(
    fc.property(
      fc.array(fc.record({ key: fc.nat({ max: 60 }), at: fc.nat({ max: 400 }) }), {
        minLength: 1,
        maxLength: 80,
      }),
      sights => {
        const commands = sights.map(({ key, at }) => affiliate(`n${key}`, hours(at)));
        given()
          .when(...commands)
          .thenState(state => {
            const known = state.status === 'registered' ? [...state.affiliations.keys()] : [];
            expect(known.length).toBeLessThanOrEqual(affiliationLimits.kept.network);
            expect(known).toContain(`network n${sights.at(-1).key}`);
          });
      },
    ),
  ));
