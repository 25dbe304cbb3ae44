import { DemandTable, groupsSuffice, groupSuits, type Demand } from './engine/demand.js';
import type { NodeOffer } from './engine/offer.js';
import type { PlaceRule, Requirements } from './engine/request.js';
import { ShapeTable, type UnitGroup } from './engine/shape.js';

export type RuleName =
  | 'priceCap'
  | 'transferPriceCap'
  | 'deviceKind'
  | 'deviceVendor'
  | 'deviceModel'
  | 'deviceMemory'
  | 'devices'
  | 'region'
  | 'country'
  | 'runtime'
  | 'attestation'
  | 'node'
  | 'reliability'
  | 'cpu'
  | 'memory'
  | 'disk'
  | 'bandwidth';

/** A hard filter on what a node is, whatever its load. Each rule blames a node only for what it names. */
export type Rule = { readonly name: RuleName; allows(needs: Requirements, node: NodeOffer): boolean };

const rule = (name: RuleName, allows: Rule['allows']): Rule => ({ name, allows });

const ofKind = ({ devices }: Requirements, node: NodeOffer) =>
  node.devices.filter(device => device.kind === devices?.kind);

/** Some device of the kind will do; a node without the kind is blamed for that alone. */
const someDevice = (
  name: RuleName,
  suits: (devices: NonNullable<Requirements['devices']>, device: NodeOffer['devices'][number]) => boolean,
): Rule =>
  rule(name, (needs, node) => {
    const { devices } = needs;
    const candidates = ofKind(needs, node);
    return (
      devices === undefined || candidates.length === 0 || candidates.some(device => suits(devices, device))
    );
  });

const permits = ({ allowed, denied }: PlaceRule, place: string) =>
  (allowed.length === 0 || allowed.includes(place)) && !denied.includes(place);

const deviceRules: readonly Rule[] = [
  rule('deviceKind', (needs, node) => needs.devices === undefined || ofKind(needs, node).length > 0),
  someDevice('deviceVendor', ({ vendor }, device) => vendor === '' || device.vendor === vendor),
  someDevice('deviceModel', ({ models }, device) => models.length === 0 || models.includes(device.model)),
  someDevice('deviceMemory', ({ memoryMib, profile }, device) =>
    profile === ''
      ? device.memoryMib >= memoryMib
      : device.slices.some(slice => slice.memoryMib >= memoryMib),
  ),
];

/** Cheap rules that exclude most come first. */
export const rules: readonly Rule[] = [
  rule(
    'priceCap',
    ({ priceCapAtto, isInterruptible }, { pricePerDeviceSecondAtto, interruptiblePriceAtto }) =>
      priceCapAtto === undefined ||
      ((isInterruptible ? interruptiblePriceAtto : undefined) ?? pricePerDeviceSecondAtto) <= priceCapAtto,
  ),
  rule(
    'transferPriceCap',
    ({ transferPriceCapAtto: capAtto }, { transferPriceAtto = 0n }) =>
      capAtto === undefined || transferPriceAtto <= capAtto,
  ),
  rule('node', ({ nodes }, { nodeId }) => nodes === undefined || nodes.includes(nodeId)),
  rule('region', ({ regions }, { region }) => permits(regions, region)),
  rule('country', ({ countries }, { country }) => permits(countries, country)),
  rule('runtime', ({ runtime }, { runtimes }) => runtime === '' || runtimes.includes(runtime)),
  rule(
    'attestation',
    ({ attestations }, { attestation }) => attestations.length === 0 || attestations.includes(attestation),
  ),
  rule('reliability', ({ reliabilityMin }, { reliability }) => reliability >= reliabilityMin),
  ...deviceRules,
  // Excludes the node whose one device has the model and another the memory, or that has too few of them.
  rule(
    'devices',
    (needs, node) => deviceRules.some(({ allows }) => !allows(needs, node)) || hasDevices(needs, node),
  ),
  rule('cpu', ({ cpuMillis }, node) => cpuMillis <= node.cpuMillis),
  rule('memory', ({ memoryMib }, node) => memoryMib <= node.memoryMib),
  rule('disk', ({ diskMib }, node) => diskMib <= node.diskMib),
  rule('bandwidth', ({ bandwidthMbps }, node) => bandwidthMbps <= node.bandwidthMbps),
];

/**
 * Whether the node could host the task when nothing else runs on it. `ignoring` asks what rules cost.
 * Maintenance and deadlines are no rules here: time settles them.
 */
export const couldHost = (
  needs: Requirements,
  node: NodeOffer,
  ignoring: readonly RuleName[] = [],
): boolean => rules.every(({ name, allows }) => ignoring.includes(name) || allows(needs, node));

/** For each rule, how many nodes it excludes whatever their load. One that fails two rules counts under both. */
export function countExcluded(
  needs: Requirements,
  nodes: Iterable<NodeOffer>,
): ReadonlyMap<RuleName, number> {
  const excluded = new Map<RuleName, number>();
  for (const node of nodes)
    for (const { name, allows } of rules)
      if (!allows(needs, node)) excluded.set(name, (excluded.get(name) ?? 0) + 1);
  return excluded;
}

function hasDevices(needs: Requirements, node: NodeOffer): boolean {
  const demand = demandOf(needs);
  return groupsSuffice(
    demand,
    groupsOf(node).filter(group => groupSuits(demand, group)),
  );
}

/** Neither requirements nor offers ever change, and each of a few hundred meets each of many. */
const demandByNeeds = new WeakMap<Requirements, Demand>();
const groupsByOffer = new WeakMap<NodeOffer, readonly UnitGroup[]>();

function demandOf(needs: Requirements): Demand {
  const known = demandByNeeds.get(needs);
  if (known) return known;
  const demand = new DemandTable().intern(needs);
  demandByNeeds.set(needs, demand);
  return demand;
}

function groupsOf(node: NodeOffer): readonly UnitGroup[] {
  const known = groupsByOffer.get(node);
  if (known) return known;
  const { groups } = new ShapeTable().intern(node);
  groupsByOffer.set(node, groups);
  return groups;
}
