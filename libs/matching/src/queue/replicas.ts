export type ServiceBounds = {
  readonly replicasMin: number;
  readonly replicasMax: number;
  /** The load that one replica should carry, in whatever unit the load is measured (say, requests in flight). */
  readonly loadPerReplica: number;
  /** As long as the load per replica is within this share of what it should be, nothing changes. */
  readonly tolerance: number;
  /** Fewer are wanted only after fewer would have sufficed for this long. */
  readonly coolDownMs: number;
};

/** What the decider remembers from one observation to the next. */
export type ServiceScale = {
  readonly replicas: number;
  /** What would have been enough lately, each with the time at which it was seen; oldest first. */
  readonly recent: readonly { readonly atMs: number; readonly replicas: number }[];
};

const REPLICAS_MAX = 10_000;
/** Into so many parts the cool-down is cut: one need is remembered of each. */
const RECENT_SLOTS = 32;

/** @throws RangeError that names the field and the rule */
export function initialScale(bounds: ServiceBounds): ServiceScale {
  const { replicasMin, replicasMax, loadPerReplica, tolerance, coolDownMs } = bounds;
  const refuse = (field: string, rule: string) => {
    throw new RangeError(`${field}: ${rule}`);
  };
  if (!Number.isInteger(replicasMin) || replicasMin < 0) refuse('replicasMin', 'a whole number from 0');
  if (
    !Number.isInteger(replicasMax) ||
    replicasMax < Math.max(1, replicasMin) ||
    replicasMax > REPLICAS_MAX
  ) {
    refuse('replicasMax', `a whole number from replicasMin and 1 to ${REPLICAS_MAX}`);
  }
  if (!(loadPerReplica > 0 && Number.isFinite(loadPerReplica))) refuse('loadPerReplica', 'above zero');
  if (!(tolerance >= 0 && tolerance < 1)) refuse('tolerance', 'from 0 up to, not with, 1');
  if (!(coolDownMs >= 0 && Number.isFinite(coolDownMs))) refuse('coolDownMs', 'zero or more');
  return { replicas: replicasMin, recent: [] };
}

/**
 * How many replicas a service should have after its whole load was observed. More at once, as many as the
 * load needs; fewer only down to the largest need of the cool-down, so that a short lull tears nothing down.
 * Within the tolerance nothing changes (hysteresis), and never beyond the bounds. Observations come in order.
 */
export function scaleService(
  scale: ServiceScale,
  { load, atMs }: { readonly load: number; readonly atMs: number },
  bounds: ServiceBounds,
): ServiceScale {
  if (!(load >= 0 && Number.isFinite(load))) throw new RangeError(`load: finite, zero or more, not ${load}`);
  const needed = neededFor(load, scale.replicas, bounds);
  const recent = remembered(scale.recent, { atMs, replicas: needed }, bounds);
  const largest = recent.reduce((most, { replicas }) => Math.max(most, replicas), needed);
  const replicas = needed >= scale.replicas ? needed : Math.min(scale.replicas, largest);
  return { replicas: clamp(replicas, bounds), recent };
}

function neededFor(load: number, replicas: number, bounds: ServiceBounds): number {
  const { loadPerReplica, tolerance } = bounds;
  const used = replicas > 0 ? load / (replicas * loadPerReplica) : load > 0 ? Infinity : 1;
  if (Math.abs(used - 1) <= tolerance) return clamp(replicas, bounds);
  return clamp(Math.ceil(load / loadPerReplica), bounds);
}

/**
 * What is older than the cool-down is forgotten. The needs of one thirty-second of the cool-down become one,
 * their largest, at the time of the last: so few are remembered however often the load is observed, and none
 * for longer than that fraction more than the cool-down.
 */
function remembered(
  recent: ServiceScale['recent'],
  seen: ServiceScale['recent'][number],
  { coolDownMs }: ServiceBounds,
): ServiceScale['recent'] {
  const slotOf = ({ atMs }: typeof seen) =>
    coolDownMs > 0 ? Math.floor((atMs * RECENT_SLOTS) / coolDownMs) : atMs;
  const kept = recent.filter(({ atMs }) => atMs >= seen.atMs - coolDownMs);
  const last = kept.at(-1);
  if (!last || slotOf(last) !== slotOf(seen)) return [...kept, seen];
  return [...kept.slice(0, -1), { atMs: seen.atMs, replicas: Math.max(last.replicas, seen.replicas) }];
}

const clamp = (replicas: number, { replicasMin, replicasMax }: ServiceBounds) =>
  Math.min(Math.max(replicas, replicasMin), replicasMax);
