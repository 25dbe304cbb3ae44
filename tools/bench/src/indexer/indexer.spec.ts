import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { indexer } from './indexer.js';
import { parseOptions } from './options.js';

test.each([
  [['--transfers', '10'], '--transfers: 10 is not a number from 2000 to 2000000'],
  [['--seconds', 'soon'], '--seconds: soon is not a number from 1 to 600'],
  [['--fast'], "Unknown option '--fast'"],
])('%j is refused, and it is said why', (words, reason) => {
  expect(() => parseOptions(words)).toThrow(reason);
});

test('transfers come in whole blocks', () => {
  expect(parseOptions(['--transfers', '2001'])).toEqual({
    transfers: 2_500,
    headSeconds: 60,
    hasRival: true,
  });
});

test('a small run ends with the tables that the chain calls for, and has every figure but the rival', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'astro-bench-indexer-'));
  try {
    const words = ['--transfers', '2000', '--seconds', '1', '--no-rival'];
    const figures = await indexer.run(folder, () => undefined, words);
    const above0 = expect.any(Number);
    expect(figures).toMatchObject({ eventsPerSecond: above0, rawPerSecond: above0, ponderPerSecond: null });
    expect(Number(figures['headLagBlocks'])).toBeGreaterThan(0);
    expect(Number(figures['reorg64Ms'])).toBeGreaterThan(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);
