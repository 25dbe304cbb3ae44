import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeCursor, encodeCursor } from './cursor.js';
import { Problem } from './problem.js';

const refused = (act: () => unknown) => {
  expect(act).toThrow(Problem);
  try {
    act();
  } catch (error) {
    expect(error).toMatchObject({ code: 'cursor_invalid', status: 400, errors: [{ field: 'cursor' }] });
  }
};

describe('a cursor', () => {
  test('gives back the place it was made of', () => {
    const places = fc.string({ maxLength: 300 });
    fc.assert(
      fc.property(fc.string(), places, (scope, after) => {
        expect(decodeCursor(scope, encodeCursor(scope, after))).toBe(after);
      }),
    );
  });

  test('is refused when any one character was changed', () => {
    const cursor = encodeCursor('jobs tenant_1', 'job_01');
    for (let index = 0; index < cursor.length; index++) {
      const other = cursor[index] === 'A' ? 'B' : 'A';
      const changed = cursor.slice(0, index) + other + cursor.slice(index + 1);
      refused(() => decodeCursor('jobs tenant_1', changed));
    }
  });

  test.each(['jobs tenant_2', 'nodes ', 'jobs tenant_1 failed'])('is refused by the list of %j', scope =>
    refused(() => decodeCursor(scope, encodeCursor('jobs tenant_1', 'job_01'))),
  );

  test.each([
    'x',
    '!!!',
    `${encodeCursor('jobs', 'job_01')}x`,
    'bnVsbA',
    Buffer.from('["a"]').toString('base64url'),
  ])('is not %j', text => refused(() => decodeCursor('jobs', text)));

  test('that is not given begins at the start', () =>
    expect(decodeCursor('jobs', undefined)).toBeUndefined());
});
