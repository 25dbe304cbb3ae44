import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { contractsFolder, forge, printed } from './forge.js';
import { gasReport, storageLayouts } from './measure.js';

type Outcome = { readonly status: string; readonly reason: string | null };
type Suites = Record<string, { readonly test_results: Record<string, Outcome> }>;

/** Lines of our own sources that the tests must run through, in percent. */
const COVERAGE_PERCENT = 95;
const MINUTES = 60_000;

// The names of the tests are Forge's, so it runs before they are declared.
const run = await forge(['test', '--json']);
const suites = printed(run.stdout) as Suites;

describe('the contracts', () => {
  test('are tested', () => {
    expect(run.stderr).not.toContain('Error');
    expect(Object.keys(suites).length).toBeGreaterThan(0);
  });

  for (const [suite, { test_results }] of Object.entries(suites)) {
    describe(suite.split(':')[1]!, () => {
      test.each(Object.entries(test_results))('%s', (_name, { status, reason }) => {
        expect({ status, reason }).toEqual({ status: 'Success', reason: null });
      });
    });
  }

  test(
    `are covered above ${COVERAGE_PERCENT} % of lines`,
    async () => {
      const options = [
        '--report',
        'summary',
        '--no-match-path',
        'test/invariant/*',
        '--no-match-coverage',
        'test/',
      ];
      const { stdout } = await forge(['coverage', ...options]);
      const ours = [...stdout.matchAll(/^\| src\/\S+ +\| [\d.]+% \((\d+)\/(\d+)\)/gm)];
      const [covered, lines] = [1, 2].map(column => ours.reduce((sum, row) => sum + Number(row[column]), 0));
      expect((100 * covered!) / lines!).toBeGreaterThan(COVERAGE_PERCENT);
    },
    10 * MINUTES,
  );

  test(
    'cost the gas that is committed (npm run snapshots -w @astro/foundry)',
    async () => {
      expect(await gasReport()).toEqual(await committed('gas.json'));
    },
    10 * MINUTES,
  );

  test(
    'keep their state where it was (npm run snapshots -w @astro/foundry)',
    async () => {
      expect(await storageLayouts()).toEqual(await committed('storage.json'));
    },
    5 * MINUTES,
  );
});

async function committed(name: string): Promise<unknown> {
  return JSON.parse(await readFile(join(contractsFolder, 'snapshots', name), 'utf8'));
}
