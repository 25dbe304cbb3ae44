import { loadLinearSolver } from '@astro/solver/highs';
import type { Benchmark, Progress } from '../benchmark.js';
import { rounded } from '../measure.js';
import { assertAdmissible } from './cluster.js';
import type { Run } from './experiment.js';
import { parseOptions, usage, type TraceOptions } from './options.js';
import { marketPolicy, marketWeights, measureOf, type PolicyName } from './policies.js';
import { measureScale, scaleNodes, type ScalePoint } from './scale.js';
import { marketNodes, measureMarket, type MarketPoint } from './scale-market.js';
import { philly } from './philly.js';
import { readNodes, readPods } from './trace.js';

/** Means over the seeds. */
type PolicyFigures = {
  /** Allocated devices as a percentage of the cluster's, when the arrivals had asked for 100 and 130 % of them. */
  readonly allocAt100: number;
  readonly allocAt130: number;
  readonly decisionsPerSecond: number;
  readonly decisionsPerCpuSecond: number;
  /** Against FGD on the same arrivals, from 1 to 100 % arrivals; then where a full cluster has not levelled it. */
  readonly powerSavingPercent?: number;
  readonly powerSavingPercentAt?: { readonly 25: number; readonly 50: number; readonly 75: number };
};

export const matching: Benchmark = {
  measures:
    'allocation of the GPU trace and decisions a second by policy; completion of the Philly jobs; scale; market',
  usage,
  async run(_folder, progress, args) {
    const options = parseOptions(args);
    return {
      ...(options.trace && (await measureTrace(options.trace, progress))),
      ...(options.philly && (await philly(options.philly.file, options.philly.nodes, progress))),
      ...(options.isScale && { curve: await measureCurve(progress) }),
      ...(options.isMarket && { market: await measureMarkets(progress) }),
    };
  },
};

/** Decisions at each size, few enough to end in minutes and many enough for a 99th percentile. */
const scaleDecisions = 20_000;

async function measureCurve(progress: Progress): Promise<ScalePoint[]> {
  const solver = await loadLinearSolver();
  return scaleNodes.map(nodes => {
    const point = measureScale(nodes, scaleDecisions, marketPolicy(nodes, solver), marketWeights);
    progress(JSON.stringify(point));
    return point;
  });
}

async function measureMarkets(progress: Progress): Promise<MarketPoint[]> {
  const solver = await loadLinearSolver();
  return marketNodes.map(nodes => {
    const point = measureMarket(nodes, scaleDecisions, marketPolicy(nodes, solver), marketWeights);
    progress(JSON.stringify(point));
    return point;
  });
}

async function measureTrace(
  { folder, pods, policies, seeds, power }: TraceOptions,
  progress: Progress,
): Promise<Readonly<Record<string, unknown>>> {
  const trace = { nodes: await readNodes(folder), pods: await readPods(folder, pods) };
  assertAdmissible(trace.nodes, trace.pods);
  const solver = await loadLinearSolver();
  const runsOf = (name: PolicyName): Run[] => {
    const measure = measureOf(name, trace, solver, power ?? 0);
    return seeds.map(measure);
  };
  // Power is saved against FGD, so FGD runs where power is asked for.
  const baseline = power === undefined ? undefined : runsOf('fgd');
  const figures: Partial<Record<PolicyName, PolicyFigures>> = {};
  for (const name of policies) {
    const runs = name === 'fgd' && baseline ? baseline : runsOf(name);
    figures[name] = figuresOf(runs, baseline);
    progress(`${name}: ${JSON.stringify(figures[name])}`);
  }
  return { pods, seeds, policies: figures, ...costOfLearning(figures) };
}

function figuresOf(runs: readonly Run[], baseline: readonly Run[] | undefined): PolicyFigures {
  const decisions = runs.reduce((sum, run) => sum + run.decisions, 0);
  const seconds = runs.reduce((sum, run) => sum + run.seconds, 0);
  const cpuSeconds = runs.reduce((sum, run) => sum + run.cpuSeconds, 0);
  return {
    allocAt100: rounded(mean(runs.map(run => run.allocated[100]!)), 2),
    allocAt130: rounded(mean(runs.map(run => run.allocated[130]!)), 2),
    decisionsPerSecond: Math.round(decisions / seconds),
    decisionsPerCpuSecond: Math.round(decisions / cpuSeconds),
    ...(baseline && savingsOf(runs, baseline)),
  };
}

function savingsOf(
  runs: readonly Run[],
  baseline: readonly Run[],
): Pick<PolicyFigures, 'powerSavingPercent' | 'powerSavingPercentAt'> {
  const saving = (from: number, to: number) =>
    rounded(mean(runs.map((run, index) => savingOf(run, baseline[index]!, from, to))), 2);
  return {
    powerSavingPercent: saving(1, 100),
    powerSavingPercentAt: { 25: saving(25, 25), 50: saving(50, 50), 75: saving(75, 75) },
  };
}

/** Mean saving from one percentage of arrivals to another. */
function savingOf(run: Run, baseline: Run, from: number, to: number): number {
  const savings = Array.from(
    run.watts.subarray(from, to + 1),
    (watts, index) => 1 - watts / baseline.watts[from + index]!,
  );
  return 100 * mean(savings);
}

/** How many points it costs not to know the mix beforehand. */
function costOfLearning({ astro, astroLearned }: Partial<Record<PolicyName, PolicyFigures>>) {
  if (!astro || !astroLearned) return {};
  return {
    costOfLearning: {
      at100: rounded(astro.allocAt100 - astroLearned.allocAt100, 2),
      at130: rounded(astro.allocAt130 - astroLearned.allocAt130, 2),
    },
  };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
