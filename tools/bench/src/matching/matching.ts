import { loadLinearSolver } from '@astro/solver/highs';
import type { Benchmark, Progress } from '../benchmark.js';
import { rounded } from '../measure.js';
import type { Run } from './experiment.js';
import { parseOptions, usage, type TraceOptions } from './options.js';
import { measureOf, type PolicyName } from './policies.js';
import { philly } from './philly.js';
import { readNodes, readPods } from './trace.js';

/** Means over the seeds. */
type PolicyFigures = {
  /** Allocated devices as a percentage of the cluster's, when the arrivals had asked for 100 and 130 % of them. */
  readonly allocAt100: number;
  readonly allocAt130: number;
  readonly decisionsPerSecond: number;
  readonly powerSavingPercent?: number;
};

export const matching: Benchmark = {
  measures: 'allocation of the GPU trace and decisions a second by policy; completion of the Philly jobs',
  usage,
  async run(_folder, progress, args) {
    const options = parseOptions(args);
    return {
      ...(options.trace && (await measureTrace(options.trace, progress))),
      ...(options.philly && (await philly(options.philly.file, options.philly.nodes, progress))),
    };
  },
};

async function measureTrace(
  { folder, pods, policies, seeds, power }: TraceOptions,
  progress: Progress,
): Promise<Readonly<Record<string, unknown>>> {
  const trace = { nodes: await readNodes(folder), pods: await readPods(folder, pods) };
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
  return {
    allocAt100: rounded(mean(runs.map(run => run.allocated[100]!)), 2),
    allocAt130: rounded(mean(runs.map(run => run.allocated[130]!)), 2),
    decisionsPerSecond: Math.round(decisions / seconds),
    ...(baseline && {
      powerSavingPercent: rounded(mean(runs.map((run, index) => savingOf(run, baseline[index]!))), 2),
    }),
  };
}

/** Mean saving while the cluster fills from 1 to 100 % arrivals, against the same arrivals under FGD. */
function savingOf(run: Run, baseline: Run): number {
  const savings = Array.from(
    run.watts.subarray(1, 101),
    (watts, index) => 1 - watts / baseline.watts[index + 1]!,
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
