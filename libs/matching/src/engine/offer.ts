/** Kinds of hardware that tasks ask for by name. */
export type DeviceKind = 'gpu' | 'cpu' | 'npu' | 'fpga';

/** One fixed partition of a device, handed out whole (for example a MIG instance `3g.40gb`). */
export type SliceOffer = { readonly profile: string; readonly memoryMib: number };

export type DeviceOffer = {
  readonly kind: DeviceKind;
  readonly vendor: string;
  readonly model: string;
  readonly memoryMib: number;
  /** Devices of one node with the same name are joined by a fast link (NVLink or similar). Empty: none. */
  readonly interconnect: string;
  /** Whether several tasks may share the device by thousandths. */
  readonly isShareable: boolean;
  /** When not empty the device is partitioned: its slices are handed out, the device as a whole is not. */
  readonly slices: readonly SliceOffer[];
  readonly idleWatts: number;
  readonly fullWatts: number;
};

/** A CPU draws by socket: a socket with any busy core draws `fullWatts`, another `idleWatts`. */
export type CpuPower = {
  readonly socketMillis: number;
  readonly idleWatts: number;
  readonly fullWatts: number;
};

/** The node takes no task that would still run at `fromMs`, nor one that starts before `untilMs`. */
export type MaintenanceWindow = { readonly fromMs: number; readonly untilMs: number };

/** What a node offers. The engine keeps the arrays, which must not change afterwards. */
export type NodeOffer = {
  readonly nodeId: string;
  readonly operatorId: string;
  readonly region: string;
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  /** Kind of attestation that the node has proved, `none` where it has none. */
  readonly attestation: string;
  readonly runtimes: readonly string[];
  /** Nodes with the same name form one fabric (an InfiniBand island, an NVL72 rack). Empty: none. */
  readonly fabric: string;
  readonly cpuMillis: number;
  readonly memoryMib: number;
  readonly diskMib: number;
  readonly bandwidthMbps: number;
  readonly devices: readonly DeviceOffer[];
  readonly cpuPower: CpuPower;
  /** Measured speed; 1 is the reference machine, 2 is twice as fast. */
  readonly performance: number;
  /** Measured share of leases kept, 0 to 1. */
  readonly reliability: number;
  readonly pricePerDeviceSecondAtto: bigint;
  /** The least for what may be stopped with notice. Absent: as for all else. */
  readonly interruptiblePriceAtto?: bigint | undefined;
  /** For each GiB that it moves for a task. Absent: nothing. */
  readonly transferPriceAtto?: bigint | undefined;
  readonly datasets: readonly string[];
  readonly maintenance: readonly MaintenanceWindow[];
};
