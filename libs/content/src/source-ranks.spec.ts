import { expect, test } from '@jest/globals';
import { SourceRanks } from './source-ranks.js';

const KIB_64 = 64 * 1_024;

test('what sources usually give is the median of those that are counted and gave anything', () => {
  const ranks = new SourceRanks(() => 0);
  expect(ranks.usualBytesPerMs(() => true)).toBeUndefined();
  ranks.measured('slow', KIB_64, 64);
  ranks.measured('fast', KIB_64, 1);
  ranks.measured('usual', KIB_64, 32);
  ranks.measured('not counted', KIB_64, 1);
  ranks.failed('gave nothing');
  expect(ranks.usualBytesPerMs(name => name !== 'not counted')).toBe(KIB_64 / 32);
});
