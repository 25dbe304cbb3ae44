import { expect, test } from '@jest/globals';
import { structured } from './snapshot-format.js';
import { comesBack, shapeOf } from './specify-snapshot.js';

test('a format that drops or changes anything is found', () => {
  const state = { left: 1n, jobs: new Map([['a', new Date(0)]]) };
  const format = structured<typeof state>(1);
  comesBack(format, state);
  const wrong = (changed: unknown) => ({ ...format, decode: () => changed as typeof state });
  for (const changed of [
    { left: 1, jobs: state.jobs },
    { left: 1n },
    { ...state, jobs: new Map([['a', new Date(1)]]) },
    { ...state, jobs: new Map([['a', '1970-01-01T00:00:00.000Z']]) },
    { ...state, more: undefined },
  ]) {
    expect(() => comesBack(wrong(changed), state)).toThrow();
  }
});

test('the shape of states names every part of them and its type', () => {
  const states = [
    { status: 'absent' },
    {
      status: 'open',
      jobs: new Map([['a', { at: new Date(0), left: 1n, tags: new Set(['x']) }]]),
      list: [1],
    },
  ];
  expect(shapeOf(states)).toEqual([
    'jobs.*.tags: * string',
    'jobs.*: at Date, left bigint, tags Set',
    'jobs: * Object',
    'list: * number',
    'state: jobs Map, list Array, status string',
  ]);
});
