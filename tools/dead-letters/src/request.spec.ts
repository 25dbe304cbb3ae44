import { expect, test } from '@jest/globals';
import { readRequest, UsageError } from './request.js';

const read = (...args: string[]) => readRequest(args, 'ada');

test('letters are listed and shown', () => {
  expect(read('list')).toEqual({ kind: 'list', all: false });
  expect(read('list', '--all')).toEqual({ kind: 'list', all: true });
  expect(read('show', '7')).toEqual({ kind: 'show', position: 7 });
});

test('a decision is on record under who took it', () => {
  expect(read('replay', '7')).toEqual({ kind: 'replay', position: 7, actor: 'operator:ada', why: '' });
  expect(read('discard', '7', '--why', 'a mistake', '--by', 'grace')).toEqual({
    kind: 'discard',
    position: 7,
    actor: 'operator:grace',
    why: 'a mistake',
  });
});

test.each([
  [[], 'A command is missing.'],
  [['burn', '7'], 'There is no command burn.'],
  [['list', '7'], 'What does 7 mean?'],
  [['show'], '"" is not the number of a dead letter.'],
  [['show', '7', '8'], 'What does 8 mean?'],
  [['replay', '-1'], '"-1" is not the number of a dead letter.'],
  [['discard', '7'], 'Why is it discarded?'],
  [['discard', '7', '--why', ' '], '--why has no value.'],
  [['replay', '7', '--again', 'x'], 'What does --again mean?'],
  [['replay', '7', '--why', 'x', '--why', 'y'], '--why is given twice.'],
])('%j is refused', (args, problem) => {
  expect(() => readRequest(args, 'ada')).toThrow(UsageError);
  expect(() => readRequest(args, 'ada')).toThrow(problem);
});
