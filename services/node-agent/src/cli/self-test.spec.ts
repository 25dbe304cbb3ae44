import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { referenceMachine } from '@astro/messages/compute-unit';
import type { Benchmark, Report } from '../benchmark/benchmark.js';
import type { NodeAgentConfig } from '../node-agent.config.js';
import { criteria, isFit, verdictsOn, type Evidence } from './self-test.js';

const report: Report = {
  ...referenceMachine.figures,
  networkKibPerSecond: 2_000,
  cores: 2,
  spreadThousandths: 40,
};
const evidenceOf = (changes: Partial<Evidence> = {}, figures: Partial<Report> = {}): Evidence => ({
  setup: {
    config: { OFFER_MEMORY_MIB: 1_024 } as NodeAgentConfig,
    machine: {
      processor: { vendor: 'v', model: 'm', cores: 2 },
      memoryMib: 2_048,
      accelerators: [],
      problems: [],
      operatingSystem: 'linux',
      architecture: 'x64',
    },
  },
  benchmark: {
    report: { ...report, ...figures },
    figures: {},
    milliUnits: 1_000,
    notes: [],
  } satisfies Benchmark,
  runtimes: [{ kind: 'wasm', found: { isAvailable: true, version: '1', hasNetwork: false } }],
  diskFreeMib: 10_000,
  skewMs: -400,
  ...changes,
});
const unmet = (evidence: Evidence) =>
  verdictsOn(evidence)
    .filter(({ isMet }) => !isMet)
    .map(({ id }) => id);
const { setup } = evidenceOf();

test('the reference machine is fit', () => {
  expect(unmet(evidenceOf())).toEqual([]);
  expect(isFit(verdictsOn(evidenceOf()))).toBe(true);
});

test.each<[id: string, evidence: Evidence]>([
  ['drivers', evidenceOf({ setup: { ...setup, machine: { ...setup.machine, problems: ['no driver'] } } })],
  ['memory', evidenceOf({ setup: { ...setup, config: { ...setup.config, OFFER_MEMORY_MIB: 511 } } })],
  ['matrix', evidenceOf({}, { matrixMflops: 1_998 })],
  ['bandwidth', evidenceOf({}, { memoryMibPerSecond: 1_998 })],
  ['disk', evidenceOf({}, { diskReadMibPerSecond: 49 })],
  ['disk-space', evidenceOf({ diskFreeMib: 2_047 })],
  ['network', evidenceOf({}, { networkKibPerSecond: 999 })],
  [
    'sandbox',
    evidenceOf({ runtimes: [{ kind: 'process', found: { isAvailable: false, reason: 'no bwrap' } }] }),
  ],
  ['clock', evidenceOf({ skewMs: 5_001 })],
  ['clock', evidenceOf({ skewMs: undefined })],
])('a machine that lacks %s is not fit', (id, evidence) => {
  expect(unmet(evidence)).toEqual([id]);
  expect(isFit(verdictsOn(evidence))).toBe(false);
});

test('runs that differ are told, and fail nobody', () => {
  const evidence = evidenceOf({}, { spreadThousandths: 501 });
  expect(unmet(evidence)).toEqual(['repeatable']);
  expect(isFit(verdictsOn(evidence))).toBe(true);
});

describe('docs/self-test.md', () => {
  const text = readFileSync(new URL('../../../../docs/self-test.md', import.meta.url), 'utf8');
  const rows = text
    .split('\n')
    .filter(line => line.startsWith('| `'))
    .map(line =>
      line
        .split('|')
        .map(cell => cell.trim())
        .slice(1, -1),
    );

  test('publishes every criterion as it is', () => {
    const published = rows.filter(cells => cells.length === 4);
    expect(published).toEqual(
      criteria.map(({ id, asks, because, isNeeded }) => [
        `\`${id}\``,
        asks,
        because,
        isNeeded ? 'yes' : 'no',
      ]),
    );
  });

  test('names every figure that is measured', () => {
    const figures = rows.filter(cells => cells.length === 3).map(([name]) => name);
    const { cores: _cores, spreadThousandths: _spread, ...measured } = report;
    expect(figures.toSorted()).toEqual(
      Object.keys(measured)
        .map(name => `\`${name}\``)
        .toSorted(),
    );
  });
});
