import { choicesFor, ScratchState } from './choice.js';
import { couldHost } from './demand.js';
import type { PlacementEngine } from './engine.js';
import type { PlaceRule } from './request.js';
import type { Query } from './search.js';
import { unitsMax } from './shape.js';

/**
 * Why a node does not get a task. `hardware`: it could not host it even when idle; `cpu`, `memory`, `disk`,
 * `bandwidth` and `units` (devices or slices) are those of a node that could, but has too little free.
 */
export const filterNames = [
  'runtime',
  'region',
  'country',
  'attestation',
  'node',
  'reliability',
  'priceCap',
  'transferPriceCap',
  'nodeExcluded',
  'operatorExcluded',
  'deadline',
  'maintenance',
  'hardware',
  'cpu',
  'memory',
  'disk',
  'bandwidth',
  'units',
] as const;
export type FilterName = (typeof filterNames)[number];

const state = new ScratchState();
const choices = new Int32Array(unitsMax);

/** Every filter that the node fails, read from what is known of it rather than from the indexes. */
export function failedFilters(engine: PlacementEngine, query: Query, slot: number): readonly FilterName[] {
  const { fleet } = engine;
  const { columns } = fleet;
  const { needs } = query.plan;
  const { nodeId, runtimes } = fleet.factsOf(slot);
  const failed: FilterName[] = [];
  const check = (passes: boolean, name: FilterName) => {
    if (!passes) failed.push(name);
  };
  check(needs.runtime === '' || runtimes.includes(needs.runtime), 'runtime');
  check(obeys(needs.regions, fleet.regions.nameOf(columns.region[slot]!)), 'region');
  check(obeys(needs.countries, fleet.countries.nameOf(columns.country[slot]!)), 'country');
  const attestation = fleet.attestations.nameOf(columns.attestation[slot]!);
  check(needs.attestations.length === 0 || needs.attestations.includes(attestation), 'attestation');
  check(needs.nodes === undefined || needs.nodes.includes(nodeId), 'node');
  check(columns.reliability[slot]! >= needs.reliabilityMin, 'reliability');
  check(query.plan.isAffordable(slot), 'priceCap');
  check(query.plan.isTransferAffordable(slot), 'transferPriceCap');
  check(!query.isExcludedNode(slot), 'nodeExcluded');
  check(!query.isExcludedOperator(slot), 'operatorExcluded');
  check(query.meetsDeadline(slot), 'deadline');
  check(query.avoidsMaintenance(slot), 'maintenance');
  const load = loadFilters(engine, query, slot);
  return load.length > 0 ? [...failed, ...load] : failed;
}

function loadFilters(engine: PlacementEngine, { plan }: Query, slot: number): readonly FilterName[] {
  const { needs, demand } = plan;
  const { columns } = engine.fleet;
  columns.read(slot, state);
  const groups = engine.demands.groupsFor(demand, state.shape);
  const isCapable =
    couldHost(demand, state.shape, groups) &&
    state.shape.memoryMib >= needs.memoryMib &&
    columns.diskMib[slot]! >= needs.diskMib &&
    columns.bandwidthMbps[slot]! >= needs.bandwidthMbps;
  if (!isCapable) return ['hardware'];
  const failed: FilterName[] = [];
  if (columns.freeCpuMillis[slot]! < needs.cpuMillis) failed.push('cpu');
  if (columns.freeMemoryMib[slot]! < needs.memoryMib) failed.push('memory');
  if (columns.freeDiskMib[slot]! < needs.diskMib) failed.push('disk');
  if (columns.freeBandwidthMbps[slot]! < needs.bandwidthMbps) failed.push('bandwidth');
  if (choicesFor(demand, groups, state, choices) === 0) failed.push('units');
  return failed;
}

const obeys = ({ allowed, denied }: PlaceRule, value: string): boolean =>
  (allowed.length === 0 || allowed.includes(value)) && !denied.includes(value);
