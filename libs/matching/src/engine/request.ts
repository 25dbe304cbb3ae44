import type { DeviceKind } from './offer.js';

/** Devices that one task holds on one node. */
export type DeviceNeeds = {
  readonly kind: DeviceKind;
  /** For kind `cpu` 0: the CPU is held by `cpuMillis`, and only its model and memory are constrained. */
  readonly count: number;
  /** Share of each device, 1 to 1000; 1000 is the whole device. */
  readonly shareThousandths: number;
  /** Fixed slices of this profile instead of devices. Empty: whole or shared devices. */
  readonly profile: string;
  /** Empty: any vendor. */
  readonly vendor: string;
  /** Empty: any model. */
  readonly models: readonly string[];
  /** Memory of each device or slice, at least. */
  readonly memoryMib: number;
  /** All devices in one interconnect of the node. */
  readonly isInterconnected: boolean;
};

/** Empty `allowed` allows everything that is not denied. */
export type PlaceRule = { readonly allowed: readonly string[]; readonly denied: readonly string[] };

/**
 * What tasks of one class need. Requests that share one requirements object are compiled once; equal objects
 * share their scores all the same.
 */
export type Requirements = {
  readonly cpuMillis: number;
  readonly memoryMib: number;
  readonly diskMib: number;
  readonly bandwidthMbps: number;
  /** Absent: the task needs CPU and memory only, and any node with them will do. */
  readonly devices?: DeviceNeeds | undefined;
  /** Empty: any runtime. */
  readonly runtime: string;
  readonly regions: PlaceRule;
  readonly countries: PlaceRule;
  /** Kinds of attestation that will do. Empty: none is needed. */
  readonly attestations: readonly string[];
  /** Ids of the only nodes that will do. Absent: any. */
  readonly nodes?: readonly string[] | undefined;
  /** 0 to 1. */
  readonly reliabilityMin: number;
  /** It may be stopped with notice, and so pays what nodes ask for that. */
  readonly isInterruptible?: boolean | undefined;
  /** Absent: no cap. */
  readonly priceCapAtto?: bigint | undefined;
  /** The same for each GiB that the node moves. */
  readonly transferPriceCapAtto?: bigint | undefined;
  /** Datasets that the task reads; a node that holds them all is preferred by the weight of locality. */
  readonly datasets: readonly string[];
  /** On a machine of performance 1. */
  readonly expectedDurationMs: number;
};

export type LeaseClass = 'on-demand' | 'interruptible' | 'reserved';

export type TaskRequest = {
  readonly taskId: string;
  readonly requirements: Requirements;
  /** The time that the decision is made at: the engine has no clock. */
  readonly decidedAtMs: number;
  /** The task must be expected to end by then. */
  readonly deadlineMs?: number | undefined;
  readonly operatorsExcluded: ReadonlySet<string>;
  readonly nodesExcluded: ReadonlySet<string>;
  /** Nodes that host a sibling of the task; the weight of spread counts against their operators. */
  readonly siblingNodes: readonly string[];
  /** Order of the queue and of preemption; placement itself ignores it. */
  readonly priority: number;
  /** How the lease may end; placement itself ignores it. */
  readonly leaseClass: LeaseClass;
};

/** A request without wishes of its own: anywhere that suits, as it comes. */
export const plainRequest = (
  taskId: string,
  requirements: Requirements,
  decidedAtMs: number,
): TaskRequest => ({
  taskId,
  requirements,
  decidedAtMs,
  operatorsExcluded: new Set(),
  nodesExcluded: new Set(),
  siblingNodes: [],
  priority: 0,
  leaseClass: 'on-demand',
});

/** `node`, `region` and `fabric`: all members in one of these; `any`: wherever they fit. */
export type GangTopology = 'any' | 'node' | 'region' | 'fabric';

/** Tasks that are placed together or not at all. */
export type GangRequest = {
  readonly gangId: string;
  readonly members: readonly TaskRequest[];
  readonly topology: GangTopology;
  /** No two members on nodes of one operator, as replicas need. */
  readonly distinctOperators: boolean;
};

export const anywhere: PlaceRule = { allowed: [], denied: [] };
