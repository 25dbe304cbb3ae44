import { describe, expect, test } from '@jest/globals';
import { requestInvalid } from '../http/validation.js';
import { budgetRequest } from './budgets.schema.js';

const sound = { amountAtto: '5', period: 'month', atLimit: 'notice' };
const fieldsAtFault = (body: unknown) => {
  const parsed = budgetRequest.safeParse(body);
  return parsed.success ? [] : requestInvalid(parsed.error.issues).errors?.map(({ field }) => field);
};

describe('a budget', () => {
  test('needs no more than an amount, a period and an end', () =>
    expect(budgetRequest.parse(sound)).toEqual({
      ...sound,
      scope: { kind: 'tenant' },
      thresholds: [50, 80, 100],
    }));
  test('may have no thresholds', () => expect(fieldsAtFault({ ...sound, thresholds: [] })).toEqual([]));

  test.each<[string, object, string]>([
    ['an amount of zero', { amountAtto: '0' }, 'amountAtto'],
    ['a negative amount', { amountAtto: '-1' }, 'amountAtto'],
    ['a fraction', { amountAtto: '1.5' }, 'amountAtto'],
    ['an amount of 2^256', { amountAtto: String(2n ** 256n) }, 'amountAtto'],
    ['an unknown scope', { scope: { kind: 'region' } }, 'scope.kind'],
    ['a project without a name', { scope: { kind: 'project' } }, 'scope.project'],
    ['a project with an empty name', { scope: { kind: 'project', project: '' } }, 'scope.project'],
    ['a project of other characters', { scope: { kind: 'project', project: 'a b' } }, 'scope.project'],
    [
      'a project with too long a name',
      { scope: { kind: 'project', project: 'p'.repeat(65) } },
      'scope.project',
    ],
    ['a project beside all', { scope: { kind: 'tenant', project: 'p' } }, 'scope.project'],
    ['an unknown period', { period: 'week' }, 'period'],
    ['no period', { period: undefined }, 'period'],
    ['an unknown end', { atLimit: 'slow_down' }, 'atLimit'],
    ['a threshold over 100', { thresholds: [50, 101] }, 'thresholds[1]'],
    ['a threshold of nothing', { thresholds: [0] }, 'thresholds[0]'],
    ['a threshold that is not whole', { thresholds: [50.5] }, 'thresholds[0]'],
    ['a threshold twice', { thresholds: [50, 50] }, 'thresholds'],
    ['unordered thresholds', { thresholds: [80, 50] }, 'thresholds'],
    ['eleven thresholds', { thresholds: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] }, 'thresholds'],
    ['a field of which nobody knows', { currency: 'USD' }, 'currency'],
  ])('with %s is refused, and the field is named', (_what, changes, field) =>
    expect(fieldsAtFault({ ...sound, ...changes })).toEqual([field]),
  );
});
