import { mkdir } from 'node:fs/promises';
import { benchmarkPlanOf, runBenchmark, type Benchmark } from '../benchmark/benchmark.js';
import { diskFreeMib } from '../probe/machine.js';
import { checkGateway } from './doctor/platform-checks.js';
import type { Setup } from './node-setup.js';
import { tryRuntimes, type TriedRuntime } from './tried-runtimes.js';

export type Evidence = {
  readonly setup: Setup;
  readonly benchmark: Benchmark;
  readonly runtimes: readonly TriedRuntime[];
  readonly diskFreeMib: number;
  /** Of the gateway's clock; undefined where it does not answer. */
  readonly skewMs: number | undefined;
};

/** What a machine has to be for tasks to be done well on it. */
export type Criterion = {
  readonly id: string;
  readonly asks: string;
  readonly because: string;
  /** Whether the test fails without it. */
  readonly isNeeded: boolean;
  judge(evidence: Evidence): { readonly isMet: boolean; readonly found: string };
};

const MATRIX_MFLOPS_OF_CORE_MIN = 1_000;
const MEMORY_MIB_OF_CORE_MIN = 1_000;
const DISK_MIB_PER_SECOND_MIN = 50;
const NETWORK_KIB_PER_SECOND_MIN = 1_000;
const SPREAD_MAX_THOUSANDTHS = 500;
const MEMORY_MIN_MIB = 512;
const DISK_FREE_MIN_MIB = 2_048;
const SKEW_MAX_MS = 5_000;

const atLeast = (value: number, least: number, unit: string) => ({
  isMet: value >= least,
  found: `${value} ${unit}`,
});
const perCore = ({ report }: Benchmark, value: number) => Math.round(value / report.cores);

/** Every criterion there is; docs/self-test.md is this list. */
export const criteria: readonly Criterion[] = [
  {
    id: 'drivers',
    asks: 'Every device that is found can be offered',
    because: 'a driver in trouble fails tasks, and costs the node its reputation',
    isNeeded: true,
    judge: ({ setup: { machine } }) => ({
      isMet: machine.problems.length === 0,
      found: machine.problems.join('; ') || `${machine.accelerators.length} devices beside the processor`,
    }),
  },
  {
    id: 'memory',
    asks: `At least ${MEMORY_MIN_MIB} MiB are offered`,
    because: 'smaller tasks are rare',
    isNeeded: true,
    judge: ({ setup: { config } }) => atLeast(config.OFFER_MEMORY_MIB, MEMORY_MIN_MIB, 'MiB'),
  },
  {
    id: 'matrix',
    asks: `The product of matrices does at least ${MATRIX_MFLOPS_OF_CORE_MIN} million operations a second on each core`,
    because: 'time limits of tasks are set for usual cores',
    isNeeded: true,
    judge: ({ benchmark }) =>
      atLeast(
        perCore(benchmark, benchmark.report.matrixMflops),
        MATRIX_MFLOPS_OF_CORE_MIN,
        'million operations a second on each core',
      ),
  },
  {
    id: 'bandwidth',
    asks: `Memory moves at least ${MEMORY_MIB_OF_CORE_MIN} MiB a second for each core`,
    because: 'inference is bound by it',
    isNeeded: true,
    judge: ({ benchmark }) =>
      atLeast(
        perCore(benchmark, benchmark.report.memoryMibPerSecond),
        MEMORY_MIB_OF_CORE_MIN,
        'MiB a second for each core',
      ),
  },
  {
    id: 'disk',
    asks: `The disk writes and reads at least ${DISK_MIB_PER_SECOND_MIN} MiB a second`,
    because: 'programs, inputs and outputs wait for it',
    isNeeded: true,
    judge: ({ benchmark: { report } }) => ({
      isMet: Math.min(report.diskWriteMibPerSecond, report.diskReadMibPerSecond) >= DISK_MIB_PER_SECOND_MIN,
      found: `${report.diskWriteMibPerSecond} written, ${report.diskReadMibPerSecond} read`,
    }),
  },
  {
    id: 'disk-space',
    asks: `At least ${DISK_FREE_MIN_MIB} MiB are free`,
    because: 'the cache of contents and the journal of leases need room',
    isNeeded: true,
    judge: ({ diskFreeMib: free }) => atLeast(free, DISK_FREE_MIN_MIB, 'MiB'),
  },
  {
    id: 'network',
    asks: `The gateway sends at least ${NETWORK_KIB_PER_SECOND_MIN} KiB a second`,
    because: 'inputs have to come before their lease is over',
    isNeeded: true,
    judge: ({ benchmark: { report } }) =>
      atLeast(report.networkKibPerSecond, NETWORK_KIB_PER_SECOND_MIN, 'KiB a second'),
  },
  {
    id: 'sandbox',
    asks: 'Every runtime that RUNTIMES allows runs a program here',
    because: 'what does not run is not offered',
    isNeeded: true,
    judge: ({ runtimes }) => ({
      isMet: runtimes.every(({ found }) => found.isAvailable),
      found: runtimes
        .map(({ kind, found }) => `${kind}: ${found.isAvailable ? found.version : found.reason}`)
        .join('; '),
    }),
  },
  {
    id: 'clock',
    asks: `The clock is within ${SKEW_MAX_MS / 1_000} s of the gateway’s`,
    because: 'the node signs tokens that live for a minute, and leases have deadlines',
    isNeeded: true,
    judge: ({ skewMs }) => ({
      isMet: skewMs !== undefined && Math.abs(skewMs) <= SKEW_MAX_MS,
      found: skewMs === undefined ? 'the gateway does not answer' : `${Math.abs(skewMs) / 1_000} s`,
    }),
  },
  {
    id: 'repeatable',
    asks: `Runs of one figure differ by at most ${SPREAD_MAX_THOUSANDTHS / 10} % of their median`,
    because: 'a machine that others use too is not as fast as it says',
    isNeeded: false,
    judge: ({ benchmark: { report } }) => ({
      isMet: report.spreadThousandths <= SPREAD_MAX_THOUSANDTHS,
      found: `${report.spreadThousandths / 10} %`,
    }),
  },
];

export type Verdict = Omit<Criterion, 'judge'> & { readonly isMet: boolean; readonly found: string };

export const verdictsOn = (evidence: Evidence): readonly Verdict[] =>
  criteria.map(({ judge, ...criterion }) => ({ ...criterion, ...judge(evidence) }));

export const isFit = (verdicts: readonly Verdict[]): boolean =>
  verdicts.every(({ isMet, isNeeded }) => isMet || !isNeeded);

/** Measures and tries everything that the criteria ask for. */
export async function gatherEvidence(setup: Setup): Promise<Evidence> {
  const { config, machine } = setup;
  await mkdir(config.AGENT_STATE_DIR, { recursive: true, mode: 0o700 });
  const { skewMs } = await checkGateway(config);
  return {
    setup,
    skewMs,
    benchmark: await runBenchmark(benchmarkPlanOf(config)),
    runtimes: await tryRuntimes(config, machine),
    diskFreeMib: await diskFreeMib(config.AGENT_STATE_DIR),
  };
}
