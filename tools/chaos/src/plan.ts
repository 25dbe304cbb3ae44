import type { ServerName } from '@astro/devstack/infrastructure/infrastructure';
import { crashPoints, type CrashPoint } from '@astro/jetstream/crash-point';
import { poisons, type Poison } from './poison.js';
import { Random } from './random.js';
import { decidingProcesses, serviceProcesses, settingsOf } from './settings.js';

/** Those that store something, and the chain. */
type Server = ServerName | 'anvil';

/** What can be done to a running platform. */
export type Fault =
  | { readonly kind: 'kill' | 'restart'; readonly target: string }
  | { readonly kind: 'pause'; readonly target: string; readonly forMs: number }
  | { readonly kind: 'kill-server'; readonly server: Server }
  | { readonly kind: 'pause-server'; readonly server: Server; readonly forMs: number }
  | { readonly kind: 'crash-point'; readonly target: string; readonly at: CrashPoint; readonly count: number }
  | { readonly kind: 'duplicates'; readonly of: 'commands' | 'reports'; readonly count: number }
  | { readonly kind: 'poison'; readonly poison: Poison }
  | { readonly kind: 'partition' | 'reorder'; readonly target: string; readonly forMs: number }
  | { readonly kind: 'clock-skew'; readonly target: string; readonly byMs: number }
  | { readonly kind: 'disk-full'; readonly server: ServerName; readonly forMs: number };
export type FaultKind = Fault['kind'];
export type PlannedFault = { readonly atMs: number; readonly fault: Fault };

/** By weight: what happens often in life happens often here. */
const weights: Readonly<Record<FaultKind, number>> = {
  kill: 5,
  pause: 3,
  restart: 2,
  'kill-server': 3,
  'pause-server': 2,
  'crash-point': 6,
  duplicates: 4,
  poison: 4,
  partition: 3,
  reorder: 4,
  'clock-skew': 2,
  'disk-full': 2,
};
export const faultKinds = Object.keys(weights) as readonly FaultKind[];

export const agentNames = ['ash', 'birch', 'cedar'] as const;
const stores: readonly ServerName[] = ['nats', 'postgres'];
const servers: readonly Server[] = [...stores, 'anvil'];
/** Talks to the bus without a proxy, so that it is not parted from it. */
const indexer = 'chain-indexer';

const firstAfterMs = 2_000;
const gapMs = { least: 500, most: 3_500 };
const shortPauseMs = { least: 500, most: 8_000 };
/** A process gets to a crash point this often within the seconds that a run leaves it. */
const crashCountMax = 5;
const skewMs = 3_600_000;
const skews = [-skewMs, skewMs] as const;
/** Beyond a lane's usual ack wait of 30 s: what the paused process holds is handed out again. */
const longPauseMs = 35_000;
/** Beyond a lease: the time limit of the load's programs and 30 s of grace. */
const longPartitionMs = 45_000;
const longFaultsFromMs = 60_000;

/** The faults of a run, which follow from the seed, the length and what is allowed, and from nothing else. */
export function planOf(
  seed: number,
  durationMs: number,
  allowed: readonly FaultKind[],
): readonly PlannedFault[] {
  const random = new Random(seed);
  const settings = settingsOf(seed);
  const deciding = decidingProcesses(settings);
  const targets = [...serviceProcesses(settings), ...agentNames];
  const choices = faultKinds
    .filter(kind => allowed.includes(kind))
    .map(item => ({ item, weight: weights[item] }));
  const planned: PlannedFault[] = [];
  if (durationMs >= longFaultsFromMs) planned.push(...longFaults(random, targets, allowed));
  for (let atMs = firstAfterMs; atMs < durationMs; atMs += random.between(gapMs.least, gapMs.most))
    planned.push({ atMs, fault: faultOf(random.weighted(choices), { random, deciding, targets }) });
  return planned.sort((left, right) => left.atMs - right.atMs);
}

/** One of each that takes longer than what guards against it, early enough to end with the run. */
function longFaults(
  random: Random,
  targets: readonly string[],
  allowed: readonly FaultKind[],
): readonly PlannedFault[] {
  const pause: Fault = { kind: 'pause', target: random.pick(targets), forMs: longPauseMs };
  const partition: Fault = { kind: 'partition', target: random.pick(agentNames), forMs: longPartitionMs };
  return [pause, partition]
    .filter(({ kind }) => allowed.includes(kind))
    .map(fault => ({ atMs: random.between(firstAfterMs, 4 * firstAfterMs), fault }));
}

type Choices = {
  readonly random: Random;
  readonly deciding: readonly string[];
  readonly targets: readonly string[];
};

function faultOf(kind: FaultKind, { random, deciding, targets }: Choices): Fault {
  const forMs = random.between(shortPauseMs.least, shortPauseMs.most);
  switch (kind) {
    case 'kill':
    case 'restart':
      return { kind, target: random.pick([...targets, indexer]) };
    case 'pause':
    case 'partition':
    case 'reorder':
      return { kind, target: random.pick(targets), forMs };
    case 'clock-skew':
      return { kind, target: random.pick(targets), byMs: random.pick(skews) };
    case 'kill-server':
      return { kind, server: random.pick(servers) };
    case 'pause-server':
      return { kind, server: random.pick(servers), forMs };
    case 'disk-full':
      return { kind, server: random.pick(stores), forMs };
    case 'crash-point':
      return {
        kind,
        target: random.pick(deciding),
        at: random.pick(crashPoints),
        count: random.between(1, crashCountMax),
      };
    case 'duplicates':
      return { kind, of: random.pick(['commands', 'reports'] as const), count: random.between(1, 20) };
    case 'poison':
      return { kind, poison: random.pick(poisons) };
  }
}

/** For people, and for whoever replays: `12.3 s pause scheduling 4000`. */
export const describe = ({ atMs, fault: { kind, ...how } }: PlannedFault): string =>
  `${(atMs / 1_000).toFixed(1)} s ${kind} ${Object.values(how).join(' ')}`;
