/** What the engine knows of a node at one moment. The caller owns the truth and takes the snapshot. */
export type NodeSnapshot = {
  readonly nodeId: string;
  readonly operatorId: string;
  readonly region: string;
  /** Runtimes that the node can execute, for example `wasm`. */
  readonly runtimes: readonly string[];
  readonly pricePerSecondAtto: bigint;
  readonly total: Capacity;
  readonly free: FreeCapacity;
};

export type Device = { readonly kind: string; readonly model: string; readonly memoryMib: number };

export type Capacity = {
  readonly cpuMillis: number;
  readonly memoryMib: number;
  readonly devices: readonly Device[];
};

/** What is not held. Below zero when a node with live leases shrank its offer: then nothing more fits. */
export type FreeCapacity = {
  readonly cpuMillis: number;
  readonly memoryMib: number;
  /** Indices into the node's devices, ascending. */
  readonly devices: readonly number[];
};

/** What one replica needs of a node. */
export type Requirements = {
  readonly deviceKind: string;
  /** Empty: any model. */
  readonly deviceModel: string;
  readonly deviceMemoryMib: number;
  readonly cpuMillis: number;
  readonly memoryMib: number;
  /** Empty: any region. */
  readonly regions: readonly string[];
  readonly maxPricePerSecondAtto: bigint;
};
