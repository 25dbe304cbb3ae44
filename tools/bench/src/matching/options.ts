import { parseArgs } from 'node:util';
import { allocationPolicies, policyNames, powerPolicies, type PolicyName } from './policies.js';

/** The experiment of the GPU trace. */
export type TraceOptions = {
  readonly folder: string;
  readonly pods: string;
  readonly seeds: readonly number[];
  readonly policies: readonly PolicyName[];
  /** Weight of added power, in devices for each kilowatt; absent: power is not asked for. */
  readonly power?: number;
};

export type MatchingOptions = {
  readonly trace?: TraceOptions;
  readonly philly?: { readonly file: string; readonly nodes: number };
  readonly isScale: boolean;
  /** With interruptible leases, auctions and preemption. */
  readonly isMarket: boolean;
};

export const usage = `npm run bench -- matching [--trace DIR --pods FILE] [--philly FILE] [--scale] [--market] [options]
  --trace DIR      laid out like the published trace: csv/ holds the node list and the pod lists
  --pods FILE      a pod list in DIR/csv
  --seeds 42-51    a range, or a list with commas; the default is 42-51
  --policy NAME    ${policyNames.join(', ')}; several with commas; the
                   default is all, those of power (pwr...) only with --power
  --power W        adds powerSavingPercent; astro counts W devices for each kilowatt that a placement adds
  --philly FILE    mean completion of the Philly jobs under each discipline
  --nodes 80       nodes of eight GPUs that they run on
  --scale          speed on synthetic fleets of 1,000 to 1,000,000 nodes
  --market         the same to 100,000 nodes, with interruptible leases, auctions for them and preemption
  --json           only the JSON`;

const seedsMax = 1000;

/** Throws an error that names the option and the rule. */
export function parseOptions(args: readonly string[]): MatchingOptions {
  const values = valuesOf(args);
  const options = {
    ...((values.trace !== undefined || values.pods !== undefined) && { trace: traceOf(values) }),
    ...(values.philly !== undefined && { philly: { file: values.philly, nodes: Number(values.nodes) } }),
    isScale: values.scale,
    isMarket: values.market,
  };
  if (!options.trace && !options.philly && !options.isScale && !options.isMarket) {
    throw new RangeError('--trace: is missing, and so are --philly, --scale and --market');
  }
  return options;
}

function traceOf(values: ReturnType<typeof valuesOf>): TraceOptions {
  if (!values.trace) throw new RangeError('--trace: is missing');
  if (!values.pods) throw new RangeError('--pods: is missing');
  return {
    folder: values.trace,
    pods: values.pods,
    seeds: seedsOf(values.seeds),
    policies: values.policy === undefined ? defaultPolicies(values) : policiesOf(values.policy),
    ...(values.power !== undefined && { power: powerOf(values.power) }),
  };
}

function valuesOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        trace: { type: 'string' },
        pods: { type: 'string' },
        seeds: { type: 'string', default: '42-51' },
        policy: { type: 'string' },
        power: { type: 'string' },
        philly: { type: 'string' },
        scale: { type: 'boolean', default: false },
        market: { type: 'boolean', default: false },
        nodes: { type: 'string', default: '80' },
      },
    }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new RangeError(error.message, { cause: error });
  }
}

function seedsOf(text: string): number[] {
  const seeds = text.split(',').flatMap(part => {
    const [from, to = from] = (/^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? [])
      .slice(1)
      .filter(Boolean)
      .map(Number);
    if (from === undefined || to === undefined || to < from || to - from >= seedsMax) {
      throw new RangeError(`--seeds: ${text} is not a range such as 42-51, nor a list with commas`);
    }
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
  if (seeds.length > seedsMax) throw new RangeError(`--seeds: ${seeds.length} seeds, over ${seedsMax}`);
  return seeds;
}

const defaultPolicies = ({ power }: ReturnType<typeof valuesOf>): PolicyName[] =>
  power === undefined ? [...allocationPolicies] : [...allocationPolicies, ...powerPolicies];

function policiesOf(text: string): PolicyName[] {
  return text.split(',').map(part => {
    const name = policyNames.find(known => known === part);
    if (!name) throw new RangeError(`--policy: ${part} is none of ${policyNames.join(', ')}`);
    return name;
  });
}

function powerOf(text: string): number {
  const weight = Number(text);
  if (text.trim() === '' || !Number.isFinite(weight) || weight < 0) {
    throw new RangeError(`--power: ${text} is not a number from 0 up`);
  }
  return weight;
}
