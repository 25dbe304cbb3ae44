/** What a task holds of a unit. */
export type UnitHold = {
  /** Position among the units of the node's shape. */
  readonly unit: number;
  /** Index of the device in the node's offer. */
  readonly device: number;
  /** Index of the slice of the device; absent for a whole or shared device. */
  readonly slice?: number;
  readonly shareThousandths: number;
};

/** What a task holds of a node until it is released. Plain data: it may be stored and taken again. */
export type Hold = {
  readonly nodeId: string;
  readonly cpuMillis: number;
  readonly memoryMib: number;
  readonly diskMib: number;
  readonly bandwidthMbps: number;
  readonly units: readonly UnitHold[];
};
