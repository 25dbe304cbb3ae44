import { AttributeIndex } from './bitmap.js';
import { ChangeLog } from './change-log.js';
import { ScratchState } from './choice.js';
import { NodeColumns } from './columns.js';
import { DescriptionLog } from './description-log.js';
import type { Hold } from './hold.js';
import { NameTable, PostingLists } from './names.js';
import type { MaintenanceWindow, NodeOffer } from './offer.js';
import { ShapeTable, wholeShare, type Shape } from './shape.js';
import type { TermWeights } from './weights.js';

/** Facts of a node that are no numbers, kept to be compared, explained and taken back. */
export type NodeFacts = Pick<NodeOffer, 'nodeId' | 'runtimes' | 'datasets' | 'fabric'> & {
  readonly priceAtto: bigint;
  readonly interruptiblePriceAtto: bigint;
  readonly transferPriceAtto: bigint;
};

export type UpdateOutcome = 'updated' | 'NodeNotFound' | 'DevicesAreHeld';

/** The nodes, what is free of them, and where those with an attribute are. */
export class Fleet {
  readonly shapes = new ShapeTable();
  readonly columns: NodeColumns;
  readonly regions = new AttributeIndex();
  readonly countries = new AttributeIndex();
  readonly attestations = new AttributeIndex();
  readonly runtimes = new AttributeIndex();
  /** There are too many operators and fabrics for a bitmap each. */
  readonly operators = new NameTable();
  readonly fabrics = new NameTable();
  private readonly byFabric = new PostingLists();
  readonly byDataset = new PostingLists();
  readonly maintenance = new Map<number, readonly MaintenanceWindow[]>();
  readonly changes = new ChangeLog();
  readonly descriptions = new DescriptionLog();
  private readonly facts: (NodeFacts | undefined)[] = [];
  private readonly slots = new Map<string, number>();
  private readonly scratch = new ScratchState();

  constructor(
    private weights: TermWeights,
    isSorted: boolean,
  ) {
    this.columns = new NodeColumns(this.shapes, isSorted);
  }

  get size(): number {
    return this.slots.size;
  }

  slotOf(nodeId: string): number | undefined {
    return this.slots.get(nodeId);
  }

  factsOf(slot: number): NodeFacts {
    const facts = this.facts[slot];
    if (!facts) throw new Error(`slot ${slot} holds no node`);
    return facts;
  }

  /** Slots of the nodes of one fabric with this one, ascending. */
  slotsOfFabric(slot: number): readonly number[] {
    return [...this.byFabric.slotsOf(this.factsOf(slot).fabric)].sort((a, b) => a - b);
  }

  add(offer: NodeOffer): void {
    if (this.slots.has(offer.nodeId)) throw new Error(`node ${offer.nodeId} is in the fleet already`);
    const slot = this.columns.claim(this.shapes.intern(offer));
    this.columns.freeDiskMib[slot] = offer.diskMib;
    this.columns.freeBandwidthMbps[slot] = offer.bandwidthMbps;
    this.slots.set(offer.nodeId, slot);
    this.describe(slot, offer);
    this.changed(slot);
  }

  /** False when there is no such node. What was held of it is gone with it. */
  remove(nodeId: string): boolean {
    const slot = this.slots.get(nodeId);
    if (slot === undefined) return false;
    this.forget(slot);
    this.facts[slot] = undefined;
    this.slots.delete(nodeId);
    this.columns.vacate(slot);
    this.changes.recordGone(slot);
    this.descriptions.record(slot);
    return true;
  }

  /**
   * Takes the new offer of a node; what is held stays held. CPU, memory, disk and bandwidth may shrink below
   * what is held: then nothing more fits. Devices may change only while none is held.
   */
  update(offer: NodeOffer): UpdateOutcome {
    const slot = this.slots.get(offer.nodeId);
    if (slot === undefined) return 'NodeNotFound';
    const { columns } = this;
    const [before, after] = [columns.shapeOf(slot), this.shapes.intern(offer)];
    if (!hasSameUnits(before, after) && !columns.areUnitsWhole(slot)) return 'DevicesAreHeld';
    this.forget(slot);
    columns.freeCpuMillis[slot]! += after.cpuMillis - before.cpuMillis;
    columns.freeMemoryMib[slot]! += after.memoryMib - before.memoryMib;
    columns.freeDiskMib[slot]! += offer.diskMib - columns.diskMib[slot]!;
    columns.freeBandwidthMbps[slot]! += offer.bandwidthMbps - columns.bandwidthMbps[slot]!;
    columns.reshape(slot, after);
    this.describe(slot, offer);
    this.changed(slot);
    return 'updated';
  }

  /** Throws when the node has not that much free, and leaves it as it was. */
  take(slot: number, hold: Hold): void {
    this.assertFree(slot, hold);
    this.move(slot, hold, -1);
  }

  /** Throws when the node would have more free than it has, and leaves it as it was. */
  giveBack(slot: number, hold: Hold): void {
    this.assertHeld(slot, hold);
    this.move(slot, hold, 1);
  }

  /** Everything that follows from the weights and from the order of units is computed anew. */
  use(weights: TermWeights, isSorted: boolean): void {
    this.weights = weights;
    this.columns.isSorted = isSorted;
    for (let slot = 0; slot < this.columns.height; slot++) {
      if (!this.columns.isUsed(slot)) continue;
      this.weigh(slot);
      this.columns.settle(slot, this.scratch);
    }
  }

  private move(slot: number, hold: Hold, sign: 1 | -1): void {
    const { columns } = this;
    columns.freeCpuMillis[slot]! += sign * hold.cpuMillis;
    columns.freeMemoryMib[slot]! += sign * hold.memoryMib;
    columns.freeDiskMib[slot]! += sign * hold.diskMib;
    columns.freeBandwidthMbps[slot]! += sign * hold.bandwidthMbps;
    for (const { unit, shareThousandths } of hold.units) {
      columns.addShare(slot, unit, sign * shareThousandths);
    }
    this.changed(slot);
  }

  private changed(slot: number): void {
    const { columns, scratch } = this;
    columns.settle(slot, scratch);
    this.changes.record(slot, scratch, columns.stateHash[slot]!, columns);
  }

  private assertFree(slot: number, { nodeId, units, ...hold }: Hold): void {
    const { columns } = this;
    const { unitCount } = columns.shapeOf(slot);
    const fits =
      hold.cpuMillis <= columns.freeCpuMillis[slot]! &&
      hold.memoryMib <= columns.freeMemoryMib[slot]! &&
      hold.diskMib <= columns.freeDiskMib[slot]! &&
      hold.bandwidthMbps <= columns.freeBandwidthMbps[slot]! &&
      areDistinct(units) &&
      units.every(({ unit }) => unit < unitCount) &&
      units.every(({ unit, shareThousandths }) => shareThousandths <= columns.freeShare(slot, unit));
    if (!fits) throw new RangeError(`node ${nodeId} has less free than the hold takes`);
  }

  private assertHeld(slot: number, { nodeId, units, ...hold }: Hold): void {
    const { columns } = this;
    const { cpuMillis, memoryMib, unitCount } = columns.shapeOf(slot);
    const isHeld =
      hold.cpuMillis <= cpuMillis - columns.freeCpuMillis[slot]! &&
      hold.memoryMib <= memoryMib - columns.freeMemoryMib[slot]! &&
      hold.diskMib <= columns.diskMib[slot]! - columns.freeDiskMib[slot]! &&
      hold.bandwidthMbps <= columns.bandwidthMbps[slot]! - columns.freeBandwidthMbps[slot]! &&
      areDistinct(units) &&
      units.every(({ unit }) => unit < unitCount) &&
      units.every(held => held.shareThousandths <= wholeShare - columns.freeShare(slot, held.unit));
    if (!isHeld) throw new RangeError(`node ${nodeId} holds less than is given back`);
  }

  private describe(slot: number, offer: NodeOffer): void {
    const { columns } = this;
    const { nodeId, runtimes, datasets, fabric, pricePerDeviceSecondAtto: priceAtto } = offer;
    const { interruptiblePriceAtto = priceAtto, transferPriceAtto = 0n } = offer;
    const prices = { priceAtto, interruptiblePriceAtto, transferPriceAtto };
    this.facts[slot] = { nodeId, runtimes, datasets, fabric, ...prices };
    columns.diskMib[slot] = offer.diskMib;
    columns.bandwidthMbps[slot] = offer.bandwidthMbps;
    columns.operator[slot] = this.operators.intern(offer.operatorId);
    columns.region[slot] = this.regions.add(offer.region, slot);
    columns.country[slot] = this.countries.add(offer.country, slot);
    columns.attestation[slot] = this.attestations.add(offer.attestation, slot);
    columns.performance[slot] = offer.performance;
    columns.reliability[slot] = offer.reliability;
    columns.price[slot] = Number(priceAtto);
    columns.interruptiblePrice[slot] = Number(interruptiblePriceAtto);
    columns.transferPrice[slot] = Number(transferPriceAtto);
    this.weigh(slot);
    for (const runtime of runtimes) this.runtimes.add(runtime, slot);
    for (const dataset of datasets) this.byDataset.add(dataset, slot);
    if (fabric !== '') {
      this.fabrics.intern(fabric);
      this.byFabric.add(fabric, slot);
    }
    if (offer.maintenance.length > 0) this.maintenance.set(slot, offer.maintenance);
    this.descriptions.record(slot);
  }

  /** Takes the node out of every index by attribute. */
  private forget(slot: number): void {
    const { columns } = this;
    const { runtimes, datasets, fabric } = this.factsOf(slot);
    this.regions.remove(this.regions.nameOf(columns.region[slot]!), slot);
    this.countries.remove(this.countries.nameOf(columns.country[slot]!), slot);
    this.attestations.remove(this.attestations.nameOf(columns.attestation[slot]!), slot);
    for (const runtime of runtimes) this.runtimes.remove(runtime, slot);
    for (const dataset of datasets) this.byDataset.remove(dataset, slot);
    this.byFabric.remove(fabric, slot);
    this.maintenance.delete(slot);
  }

  private weigh(slot: number): void {
    const { price, reliability, performance, referencePriceAtto } = this.weights;
    const { columns } = this;
    const worth = reliability * columns.reliability[slot]! + performance * columns.performance[slot]!;
    for (const isInterruptible of [false, true]) {
      const asked = (price * columns.pricesFor(isInterruptible)[slot]!) / Number(referencePriceAtto);
      columns.staticTermsFor(isInterruptible)[slot] = worth - asked;
    }
  }
}

const areDistinct = (units: Hold['units']): boolean =>
  units.length < 2 || new Set(units.map(({ unit }) => unit)).size === units.length;

const hasSameUnits = (a: Shape, b: Shape): boolean =>
  a.unitCount === b.unitCount &&
  a.groups.length === b.groups.length &&
  a.groups.every((group, index) => JSON.stringify(group) === JSON.stringify(b.groups[index])) &&
  a.origins.every(
    ({ device, slice }, unit) => device === b.origins[unit]?.device && slice === b.origins[unit].slice,
  );
