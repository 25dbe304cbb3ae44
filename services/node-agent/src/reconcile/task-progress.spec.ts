import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { LogSender } from './log-sender.js';
import { progressIn, progressLimits, ProgressTeller, type Progress } from './task-progress.js';

describe('a line of progress', () => {
  test.each([
    ['::progress 0', { donePpm: 0, message: '' }],
    ['::progress 0.42 epoch 5 of 12', { donePpm: 420_000, message: 'epoch 5 of 12' }],
    ['::progress 0.999999999 nearly', { donePpm: 999_999, message: 'nearly' }],
    ['::progress 1.0\r', { donePpm: 1_000_000, message: '' }],
    [`::progress 1 ${'x'.repeat(500)}`, { donePpm: 1_000_000, message: 'x'.repeat(200) }],
  ])('is %j', (line, progress) => expect(progressIn(line)).toEqual(progress));

  test.each([
    '::progress',
    '::progress 42%',
    '::progress 1.5',
    '::progress -0.1',
    '::progress NaN',
    '::progress 0.5x',
    '::progress .5',
    ' ::progress 0.5',
    'progress 0.5',
  ])('is not %j', line => expect(progressIn(line)).toBeUndefined());
});

describe('progress is told', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  const telling = () => {
    const told: Progress[] = [];
    return { told, teller: new ProgressTeller(progress => told.push(progress)) };
  };
  const at = (donePpm: number, message = '') => ({ donePpm, message });

  test('at once, and then no more than the latest of each interval', () => {
    const { told, teller } = telling();
    for (let donePpm = 1; donePpm <= 1_000; donePpm++) teller.set(at(donePpm));
    expect(told).toEqual([at(1)]);
    jest.advanceTimersByTime(progressLimits.everyMs);
    expect(told).toEqual([at(1), at(1_000)]);
  });

  test('at once again after a time in which nothing moved', () => {
    const { told, teller } = telling();
    teller.set(at(1));
    jest.advanceTimersByTime(10 * progressLimits.everyMs);
    teller.set(at(2));
    expect(told).toEqual([at(1), at(2)]);
  });

  test('once, however often a program says the same', () => {
    const { told, teller } = telling();
    for (let time = 0; time < 5; time++) {
      teller.set(at(7, 'waiting'));
      jest.advanceTimersByTime(progressLimits.everyMs);
    }
    teller.close();
    expect(told).toEqual([at(7, 'waiting')]);
  });

  test('to the last, and nothing after it', () => {
    const { told, teller } = telling();
    teller.set(at(1));
    teller.set(at(1_000_000, 'done'));
    teller.close();
    jest.advanceTimersByTime(10 * progressLimits.everyMs);
    expect(told).toEqual([at(1), at(1_000_000, 'done')]);
  });
});

test('of what a program writes, progress goes its own way and everything else is its log', () => {
  const [logged, told]: [string[], Progress[]] = [[], []];
  const teller = new ProgressTeller(progress => told.push(progress));
  const sender = new LogSender(
    ({ lines }) => logged.push(...lines.map(({ text }) => text)),
    progress => teller.set(progress),
  );
  sender.write('stdout', new TextEncoder().encode('begin\n::progress 0.25 quar'));
  sender.write('stdout', new TextEncoder().encode('ter\n::progress x\nend'));
  sender.close();
  teller.close();
  expect(told).toEqual([{ donePpm: 250_000, message: 'quarter' }]);
  expect(logged).toEqual(['begin', '::progress x', 'end']);
});
