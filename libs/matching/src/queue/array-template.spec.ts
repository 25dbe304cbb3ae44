import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { expandArray, inputsFault, type ArrayTemplate } from './array-template.js';

const idOf = (index: number) => `task_${index}`;
const template = (changes: Partial<ArrayTemplate> = {}): ArrayTemplate => ({
  count: 3,
  inputs: [],
  args: [],
  ...changes,
});

describe('an array', () => {
  test('puts the index into names and arguments, wherever and however often it is asked for', () => {
    const inputs = [{ name: 'shard-{index}.bin', cids: ['x'] }];
    expect(expandArray(template({ count: 2, inputs, args: ['{index}-{index}', '--all'] }), idOf)).toEqual([
      { taskId: 'task_0', inputs: [{ name: 'shard-0.bin', cid: 'x' }], args: ['0-0', '--all'] },
      { taskId: 'task_1', inputs: [{ name: 'shard-1.bin', cid: 'x' }], args: ['1-1', '--all'] },
    ]);
  });

  test('gives each index its own content, beside what all share', () => {
    const inputs = [
      { name: 'weights', cids: ['w'] },
      { name: 'shard', cids: ['a', 'b', 'c'] },
    ];
    const cids = expandArray(template({ inputs }), idOf).map(task => task.inputs.map(({ cid }) => cid));
    expect(cids).toEqual([
      ['w', 'a'],
      ['w', 'b'],
      ['w', 'c'],
    ]);
  });

  test.each([[[]], [['a', 'b']], [['a', 'b', 'c', 'd']]])('with the contents %j for three is unsound', cids =>
    expect(inputsFault(template({ inputs: [{ name: 'shard', cids }] }))).toBe(
      'inputs[0].cids: one for all tasks, or one for each of 3',
    ),
  );

  test('is as many tasks as it says, each index once, and nothing is left to be replaced', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.array(fc.constantFrom('{index}', 'x{index}', 'plain', '{index', '{}')),
        (count, args) => {
          const tasks = expandArray(template({ count, args: ['{index}', ...args] }), idOf);
          expect(tasks.map(task => task.args[0])).toEqual(Array.from({ length: count }, (_, at) => `${at}`));
          expect(tasks.some(task => task.args.some(arg => arg.includes('{index}')))).toBe(false);
        },
      ),
    ));
});
