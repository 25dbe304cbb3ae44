import { deviceSuits } from './capacity.js';
import type { NodeSnapshot, Requirements } from './node.js';

export type RuleName =
  | 'runtime'
  | 'region'
  | 'deviceKind'
  | 'deviceModel'
  | 'deviceMemory'
  | 'device'
  | 'cpu'
  | 'memory'
  | 'priceCap';

/** A hard filter on what a node is, whatever its load. Each rule blames a node only for what it names. */
export type Rule = {
  readonly name: RuleName;
  allows(needs: Requirements, node: NodeSnapshot): boolean;
};

/** The only runtime that jobs can name today, so it is no field of the requirements yet. */
const RUNTIME = 'wasm';

const ofKind = (needs: Requirements, node: NodeSnapshot) =>
  node.total.devices.filter(device => device.kind === needs.deviceKind);

const runtime: Rule = { name: 'runtime', allows: (_needs, node) => node.runtimes.includes(RUNTIME) };

const region: Rule = {
  name: 'region',
  allows: (needs, node) => needs.regions.length === 0 || needs.regions.includes(node.region),
};

const deviceKind: Rule = { name: 'deviceKind', allows: (needs, node) => ofKind(needs, node).length > 0 };

const deviceModel: Rule = {
  name: 'deviceModel',
  allows(needs, node) {
    const devices = ofKind(needs, node);
    return (
      devices.length === 0 || needs.deviceModel === '' || devices.some(d => d.model === needs.deviceModel)
    );
  },
};

const deviceMemory: Rule = {
  name: 'deviceMemory',
  allows(needs, node) {
    const devices = ofKind(needs, node);
    return devices.length === 0 || devices.some(device => device.memoryMib >= needs.deviceMemoryMib);
  },
};

/** Excludes the node whose one device has the model and another the memory. */
const device: Rule = {
  name: 'device',
  allows: (needs, node) =>
    !(
      deviceModel.allows(needs, node) &&
      deviceMemory.allows(needs, node) &&
      deviceKind.allows(needs, node)
    ) || node.total.devices.some(candidate => deviceSuits(candidate, needs)),
};

const cpu: Rule = { name: 'cpu', allows: (needs, node) => needs.cpuMillis <= node.total.cpuMillis };

const memory: Rule = { name: 'memory', allows: (needs, node) => needs.memoryMib <= node.total.memoryMib };

const priceCap: Rule = {
  name: 'priceCap',
  allows: (needs, node) => node.pricePerSecondAtto <= needs.maxPricePerSecondAtto,
};

/** Cheap rules that exclude most come first. */
export const rules: readonly Rule[] = [
  priceCap,
  deviceKind,
  region,
  runtime,
  deviceModel,
  deviceMemory,
  device,
  cpu,
  memory,
];

/**
 * Whether the node could host the replica when nothing else runs on it. `ignoring` asks what one rule costs.
 */
export const couldHost = (needs: Requirements, node: NodeSnapshot, ignoring?: RuleName): boolean =>
  rules.every(rule => rule.name === ignoring || rule.allows(needs, node));
