import { maxDevices, type AllocationPolicy, type FreeState } from '@astro/matching/policy/potential';
import { isAllowedOn, type NodeShape, type RequestClass } from '@astro/matching/policy/workload';

export const doesNotFit = -1;
const notComputed = -2;

/** States kept before all are forgotten: beyond this the table would outgrow the caches of the processor. */
const maxStates = 400_000;

/** Every state that a node was seen in, its value, and where each class leads from it. */
export class StateTable {
  private readonly stride: number;
  private rows: Int32Array;
  private next: Int32Array;
  values: Float64Array;
  ties: Float64Array;
  private capacity = 4096;
  private count = 0;
  private slots = new Int32Array(16_384).fill(-1);
  private readonly free: FreeState = { shape: 0, cpuMillis: 0, shares: new Int32Array(maxDevices) };

  constructor(
    private readonly policy: AllocationPolicy,
    private readonly shapes: readonly NodeShape[],
    private readonly classes: readonly RequestClass[],
  ) {
    this.stride = 2 + Math.max(...shapes.map(shape => shape.deviceCount));
    this.rows = new Int32Array(this.capacity * this.stride);
    this.next = new Int32Array(this.capacity * classes.length).fill(notComputed);
    this.values = new Float64Array(this.capacity);
    this.ties = new Float64Array(this.capacity);
  }

  get size(): number {
    return this.count;
  }

  empty(shape: number): number {
    const { cpuMillis, deviceCount } = this.shapes[shape]!;
    this.free.shape = shape;
    this.free.cpuMillis = cpuMillis;
    this.free.shares.fill(1000, 0, deviceCount);
    return this.intern();
  }

  cpuOf(state: number): number {
    return this.rows[state * this.stride + 1]!;
  }

  /** The state after one more of the class, or `doesNotFit`. */
  after(state: number, classIndex: number): number {
    const at = state * this.classes.length + classIndex;
    const known = this.next[at]!;
    if (known !== notComputed) return known;
    const found = this.compute(state, this.classes[classIndex]!);
    this.next[at] = found;
    return found;
  }

  private compute(state: number, requestClass: RequestClass): number {
    const row = state * this.stride;
    const shape = this.rows[row]!;
    const { deviceCount } = this.shapes[shape]!;
    const { cpuMillis, deviceCount: wanted, shareThousandths: share } = requestClass;
    if (this.rows[row + 1]! < cpuMillis || !isAllowedOn(requestClass, this.shapes[shape]!)) return doesNotFit;
    if (wanted === 0) return this.taking(state, cpuMillis, -1, 0);
    if (wanted > 1 || share === 1000) {
      let whole = 0;
      for (let device = 0; device < deviceCount; device++) if (this.rows[row + 2 + device] === 1000) whole++;
      return whole < wanted ? doesNotFit : this.taking(state, cpuMillis, -1, wanted);
    }
    return this.sharing(state, cpuMillis, share, deviceCount);
  }

  private sharing(state: number, cpuMillis: number, share: number, deviceCount: number): number {
    const row = state * this.stride;
    const { deviceChoice } = this.policy;
    let best = doesNotFit;
    let bestScore = -Infinity;
    let bestLeft = Infinity;
    for (let device = 0; device < deviceCount; device++) {
      const left = this.rows[row + 2 + device]!;
      if (left < share) continue;
      if (deviceChoice === 'tightest device') {
        if (left < bestLeft) {
          best = device;
          bestLeft = left;
        }
        continue;
      }
      if (!this.policy.keepsDeviceOrder && device > 0 && this.rows[row + 1 + device] === left) continue;
      const candidate = this.taking(state, cpuMillis, device, share);
      const score = this.policy.score(this.values[state]!, this.values[candidate]!);
      if (
        score > bestScore + 1e-9 ||
        (deviceChoice === 'best score, tightest device' && score > bestScore - 1e-9 && left < bestLeft)
      ) {
        best = candidate;
        bestScore = score;
        bestLeft = left;
      }
    }
    if (deviceChoice !== 'tightest device' || best === doesNotFit) return best;
    return this.taking(state, cpuMillis, best, share);
  }

  /** @param device that loses `amount` thousandths; below zero, `amount` whole devices are taken in their order */
  private taking(state: number, cpuMillis: number, device: number, amount: number): number {
    const row = state * this.stride;
    const { free } = this;
    free.shape = this.rows[row]!;
    free.cpuMillis = this.rows[row + 1]! - cpuMillis;
    const { deviceCount } = this.shapes[free.shape]!;
    let whole = device < 0 ? amount : 0;
    for (let index = 0; index < deviceCount; index++) {
      let left = this.rows[row + 2 + index]!;
      if (index === device) left -= amount;
      else if (whole > 0 && left === 1000) {
        left = 0;
        whole--;
      }
      free.shares[index] = left;
    }
    if (!this.policy.keepsDeviceOrder) sortDescending(free.shares, deviceCount);
    return this.intern();
  }

  private intern(): number {
    const { free, stride } = this;
    const { deviceCount } = this.shapes[free.shape]!;
    let hash = Math.imul(free.shape + 1, 0x9e3779b1) ^ Math.imul(free.cpuMillis, 0x85ebca6b);
    for (let device = 0; device < deviceCount; device++) {
      hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) + Math.imul(free.shares[device]! + device, 0x297a2d39);
    }
    hash ^= hash >>> 13;
    const mask = this.slots.length - 1;
    let slot = hash & mask;
    for (; this.slots[slot]! >= 0; slot = (slot + 1) & mask) {
      const row = this.slots[slot]! * stride;
      if (this.rows[row] !== free.shape || this.rows[row + 1] !== free.cpuMillis) continue;
      let device = 0;
      while (device < deviceCount && this.rows[row + 2 + device] === free.shares[device]) device++;
      if (device === deviceCount) return this.slots[slot]!;
    }
    return this.add(slot, hash);
  }

  private add(slot: number, _hash: number): number {
    if (this.count === maxStates) throw new Error(`More than ${maxStates} states`);
    if (this.count === this.capacity) {
      this.grow();
      return this.intern();
    }
    const state = this.count++;
    const { free, stride } = this;
    const row = state * stride;
    this.rows[row] = free.shape;
    this.rows[row + 1] = free.cpuMillis;
    const { deviceCount } = this.shapes[free.shape]!;
    for (let device = 0; device < deviceCount; device++) this.rows[row + 2 + device] = free.shares[device]!;
    this.values[state] = this.policy.value(free);
    this.ties[state] = this.policy.tieBreak?.(free) ?? 0;
    this.slots[slot] = state;
    return state;
  }

  private grow(): void {
    this.capacity *= 2;
    this.rows = enlarged(this.rows, this.capacity * this.stride);
    const known = this.next;
    this.next = new Int32Array(this.capacity * this.classes.length).fill(notComputed);
    this.next.set(known);
    const { values, ties } = this;
    this.values = new Float64Array(this.capacity);
    this.values.set(values);
    this.ties = new Float64Array(this.capacity);
    this.ties.set(ties);
    this.rehash();
  }

  private rehash(): void {
    this.slots = new Int32Array(this.capacity * 4).fill(-1);
    const mask = this.slots.length - 1;
    for (let state = 0; state < this.count; state++) {
      const row = state * this.stride;
      const shape = this.rows[row]!;
      let hash = Math.imul(shape + 1, 0x9e3779b1) ^ Math.imul(this.rows[row + 1]!, 0x85ebca6b);
      for (let device = 0; device < this.shapes[shape]!.deviceCount; device++) {
        hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) + Math.imul(this.rows[row + 2 + device]! + device, 0x297a2d39);
      }
      hash ^= hash >>> 13;
      let slot = hash & mask;
      while (this.slots[slot]! >= 0) slot = (slot + 1) & mask;
      this.slots[slot] = state;
    }
  }
}

const enlarged = (column: Int32Array, length: number): Int32Array<ArrayBuffer> => {
  const larger = new Int32Array(length);
  larger.set(column);
  return larger;
};

function sortDescending(shares: Int32Array, count: number): void {
  for (let index = 1; index < count; index++) {
    const share = shares[index]!;
    let at = index;
    for (; at > 0 && shares[at - 1]! < share; at--) shares[at] = shares[at - 1]!;
    shares[at] = share;
  }
}
