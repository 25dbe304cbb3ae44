import type { AttributeIndex, Bitmap } from './bitmap.js';
import type { Demand, DemandTable } from './demand.js';
import type { Fleet } from './fleet.js';
import type { PlaceRule, Requirements } from './request.js';

/**
 * The hard filters of one class of requests, resolved against the fleet: the attributes as bitmaps that are
 * intersected 32 nodes at a time where the search looks, the numbers as comparisons.
 */
export class FilterPlan {
  /** A node must be in one of each of these. */
  private readonly anyOf: (readonly Bitmap[])[] = [];
  private readonly noneOf: Bitmap[] = [];
  private readonly attributesVersion: number;
  private readonly priceCap: number;
  readonly demand: Demand;

  constructor(
    private readonly fleet: Fleet,
    demands: DemandTable,
    readonly needs: Requirements,
  ) {
    this.attributesVersion = versionOf(fleet);
    this.demand = demands.intern(needs);
    this.priceCap = needs.priceCapAtto === undefined ? Number.POSITIVE_INFINITY : Number(needs.priceCapAtto);
    if (needs.runtime !== '') this.require(fleet.runtimes, [needs.runtime]);
    if (needs.attestations.length > 0) this.require(fleet.attestations, needs.attestations);
    this.rule(fleet.regions, needs.regions);
    this.rule(fleet.countries, needs.countries);
  }

  /** Whether no node has come with an attribute value that the plan does not know. */
  get isCurrent(): boolean {
    return this.attributesVersion === versionOf(this.fleet);
  }

  /** Of the nodes 32·index to 32·index + 31, those whose attributes are as required. */
  word(index: number): number {
    let word = -1;
    for (const bitmaps of this.anyOf) {
      let any = 0;
      for (const bitmap of bitmaps) any |= bitmap.word(index);
      word &= any;
      if (word === 0) return 0;
    }
    for (const bitmap of this.noneOf) word &= ~bitmap.word(index);
    return word;
  }

  hasAttributes(slot: number): boolean {
    return (this.word(slot >>> 5) & (1 << (slot & 31))) !== 0;
  }

  /** Whether the node meets what is no attribute and no part of the demand. */
  admits(slot: number): boolean {
    const { needs, fleet } = this;
    const { columns } = fleet;
    return (
      columns.freeMemoryMib[slot]! >= needs.memoryMib &&
      columns.freeDiskMib[slot]! >= needs.diskMib &&
      columns.freeBandwidthMbps[slot]! >= needs.bandwidthMbps &&
      columns.reliability[slot]! >= needs.reliabilityMin &&
      this.isAffordable(slot)
    );
  }

  /** Exact: numbers order as their bigints do, unless they are equal. */
  isAffordable(slot: number): boolean {
    const { isInterruptible, priceCapAtto } = this.needs;
    const { columns } = this.fleet;
    const price = (isInterruptible ? columns.interruptiblePrice : columns.price)[slot]!;
    if (price !== this.priceCap) return price < this.priceCap;
    const { priceAtto, interruptiblePriceAtto } = this.fleet.factsOf(slot);
    return (isInterruptible ? interruptiblePriceAtto : priceAtto) <= priceCapAtto!;
  }

  private rule(attributes: AttributeIndex, { allowed, denied }: PlaceRule): void {
    if (allowed.length > 0) this.require(attributes, allowed);
    this.noneOf.push(...bitmapsOf(attributes, denied));
  }

  private require(attributes: AttributeIndex, values: readonly string[]): void {
    this.anyOf.push(bitmapsOf(attributes, values));
  }
}

const bitmapsOf = (attributes: AttributeIndex, values: readonly string[]): readonly Bitmap[] =>
  values.flatMap(value => attributes.bitmapOf(value) ?? []);

/** Values are only ever added, so the sum rises with each. */
const versionOf = ({ regions, countries, attestations, runtimes }: Fleet): number =>
  regions.version + countries.version + attestations.version + runtimes.version;
