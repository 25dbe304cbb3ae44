import { sortGroup, type ScratchState } from './choice.js';
import { wholeShare, type Shape, type ShapeTable } from './shape.js';
import { hashOf } from './state-cache.js';

/**
 * What the engine knows of each node, one array for each fact, by slot. About 120 bytes a node and 4 for each
 * unit, without its name. Slots of nodes that left are taken by nodes that come.
 */
export class NodeColumns {
  /** Slots that were ever used. */
  height = 0;
  shapeId = new Int32Array(0);
  freeCpuMillis = new Int32Array(0);
  freeMemoryMib = new Int32Array(0);
  freeDiskMib = new Int32Array(0);
  freeBandwidthMbps = new Int32Array(0);
  diskMib = new Int32Array(0);
  bandwidthMbps = new Int32Array(0);
  operator = new Int32Array(0);
  region = new Int32Array(0);
  country = new Int32Array(0);
  attestation = new Int32Array(0);
  performance = new Float64Array(0);
  reliability = new Float64Array(0);
  price = new Float64Array(0);
  interruptiblePrice = new Float64Array(0);
  transferPrice = new Float64Array(0);
  /** The terms that depend on the node only, with its price on demand, and with what it asks of interruptible work. */
  staticTerm = new Float64Array(0);
  interruptibleStaticTerm = new Float64Array(0);
  /** Hash of the node's state. */
  stateHash = new Int32Array(0);
  private unitsAt = new Int32Array(0);
  /** Free shares in the order of the shape's units. */
  private shares = new Uint16Array(0);
  /** The same as policies see them: ascending within each group, unless they keep the order. */
  private seen = new Uint16Array(0);
  private sharesHeight = 0;
  /** Ranges of `shares` that are free, by their length. */
  private readonly spareRanges = new Map<number, number[]>();
  private readonly spareSlots: number[] = [];

  constructor(
    private readonly shapes: ShapeTable,
    public isSorted: boolean,
  ) {}

  get capacity(): number {
    return this.shapeId.length;
  }

  /** Slots that are free again, the one that is claimed next comes last. */
  get vacantSlots(): readonly number[] {
    return this.spareSlots;
  }

  /** What the nodes ask of work that may be stopped with notice, or of other work. */
  pricesFor(isInterruptible: boolean): Float64Array {
    return isInterruptible ? this.interruptiblePrice : this.price;
  }

  staticTermsFor(isInterruptible: boolean): Float64Array {
    return isInterruptible ? this.interruptibleStaticTerm : this.staticTerm;
  }

  /** A slot for an idle node of the shape; the other columns are the caller's to fill. */
  claim(shape: Shape): number {
    let slot = this.spareSlots.pop();
    if (slot === undefined) {
      slot = this.height;
      this.height += 1;
      if (slot >= this.capacity) this.reserve(Math.max(32, this.capacity * 2));
    }
    this.shapeId[slot] = shape.id;
    this.freeCpuMillis[slot] = shape.cpuMillis;
    this.freeMemoryMib[slot] = shape.memoryMib;
    this.placeUnits(slot, shape);
    return slot;
  }

  vacate(slot: number): void {
    this.spareUnits(slot);
    this.shapeId[slot] = -1;
    this.spareSlots.push(slot);
  }

  /** Gives the node another shape; free CPU and memory are the caller's. Its units may be held only if the same. */
  reshape(slot: number, shape: Shape): void {
    if (this.areUnitsWhole(slot)) {
      this.spareUnits(slot);
      this.placeUnits(slot, shape);
    }
    this.shapeId[slot] = shape.id;
  }

  areUnitsWhole(slot: number): boolean {
    const at = this.unitsAt[slot]!;
    const units = this.shares.subarray(at, at + this.shapeOf(slot).unitCount);
    return units.every(share => share === wholeShare);
  }

  shapeOf(slot: number): Shape {
    return this.shapes.at(this.shapeId[slot]!);
  }

  isUsed(slot: number): boolean {
    return slot < this.height && this.shapeId[slot]! >= 0;
  }

  /** Copies the node's state. */
  read(slot: number, into: ScratchState): void {
    const shape = this.shapes.at(this.shapeId[slot]!);
    into.shape = shape;
    into.freeCpuMillis = this.freeCpuMillis[slot]!;
    const at = this.unitsAt[slot]!;
    for (let unit = 0; unit < shape.unitCount; unit++) into.freeShares[unit] = this.seen[at + unit]!;
  }

  freeShare(slot: number, unit: number): number {
    return this.shares[this.unitsAt[slot]! + unit]!;
  }

  /** Free thousandths of all units together. */
  freeThousandths(slot: number): number {
    const at = this.unitsAt[slot]!;
    let free = 0;
    for (let unit = at; unit < at + this.shapeOf(slot).unitCount; unit++) free += this.shares[unit]!;
    return free;
  }

  /** Gives (or with a negative amount takes) a share of a unit; `settle` must follow. */
  addShare(slot: number, unit: number, thousandths: number): void {
    const at = this.unitsAt[slot]! + unit;
    const share = this.shares[at]! + thousandths;
    if (share < 0 || share > wholeShare || unit >= this.shapeOf(slot).unitCount)
      throw new RangeError(`unit ${unit} would have ${share} thousandths free`);
    this.shares[at] = share;
  }

  /** Brings what follows from the free shares and the free CPU up to date, and reads the state. */
  settle(slot: number, scratch: ScratchState): void {
    const shape = this.shapeOf(slot);
    const at = this.unitsAt[slot]!;
    for (let unit = at; unit < at + shape.unitCount; unit++) this.seen[unit] = this.shares[unit]!;
    if (this.isSorted) for (const group of shape.groups) sortGroup(group, this.seen, at);
    this.read(slot, scratch);
    this.stateHash[slot] = hashOf(scratch);
  }

  /** Makes room for `capacity` nodes at once, which spares copies as the fleet grows. */
  reserve(capacity: number): void {
    if (capacity <= this.capacity) return;
    const wider = <Column extends Int32Array | Float64Array>(column: Column): Column => {
      const copy = new (column.constructor as new (length: number) => Column)(capacity);
      copy.set(column);
      return copy;
    };
    this.shapeId = wider(this.shapeId).fill(-1, this.capacity);
    this.freeCpuMillis = wider(this.freeCpuMillis);
    this.freeMemoryMib = wider(this.freeMemoryMib);
    this.freeDiskMib = wider(this.freeDiskMib);
    this.freeBandwidthMbps = wider(this.freeBandwidthMbps);
    this.diskMib = wider(this.diskMib);
    this.bandwidthMbps = wider(this.bandwidthMbps);
    this.operator = wider(this.operator);
    this.region = wider(this.region);
    this.country = wider(this.country);
    this.attestation = wider(this.attestation);
    this.performance = wider(this.performance);
    this.reliability = wider(this.reliability);
    this.price = wider(this.price);
    this.interruptiblePrice = wider(this.interruptiblePrice);
    this.transferPrice = wider(this.transferPrice);
    this.staticTerm = wider(this.staticTerm);
    this.interruptibleStaticTerm = wider(this.interruptibleStaticTerm);
    this.stateHash = wider(this.stateHash);
    this.unitsAt = wider(this.unitsAt);
  }

  private placeUnits(slot: number, { unitCount }: Shape): void {
    const at = this.claimRange(unitCount);
    this.unitsAt[slot] = at;
    this.shares.fill(wholeShare, at, at + unitCount);
  }

  private spareUnits(slot: number): void {
    const { unitCount } = this.shapeOf(slot);
    const ranges = this.spareRanges.get(unitCount);
    if (ranges) ranges.push(this.unitsAt[slot]!);
    else this.spareRanges.set(unitCount, [this.unitsAt[slot]!]);
  }

  private claimRange(length: number): number {
    const spare = this.spareRanges.get(length)?.pop();
    if (spare !== undefined) return spare;
    const at = this.sharesHeight;
    this.sharesHeight += length;
    if (this.sharesHeight > this.shares.length) {
      const capacity = Math.max(this.sharesHeight, this.shares.length * 2, 8192);
      const wider = (column: Uint16Array) => {
        const copy = new Uint16Array(capacity);
        copy.set(column);
        return copy;
      };
      this.shares = wider(this.shares);
      this.seen = wider(this.seen);
    }
    return at;
  }
}
