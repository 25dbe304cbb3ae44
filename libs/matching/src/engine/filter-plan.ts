import type { AttributeIndex, Bitmap } from './bitmap.js';
import type { Demand, DemandTable } from './demand.js';
import type { Fleet } from './fleet.js';
import type { PlaceRule, Requirements } from './request.js';
import type { StandingMask, StandingMasks } from './standing-mask.js';

/**
 * Words of bitmaps that searches read, for each node, before a mask is made: it then costs about as much as they did,
 * so that a class that is asked for once never pays for one.
 */
const maskWorthReading = 1 / 16;

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
  private readonly transferPriceCap: number;
  readonly demand: Demand;
  /** Which of a node's prices counts. */
  readonly isInterruptible: boolean;
  /** As of the search that goes on. */
  private mask: StandingMask | undefined;
  private wordsRead = 0;

  constructor(
    private readonly fleet: Fleet,
    demands: DemandTable,
    private readonly masks: StandingMasks,
    readonly needs: Requirements,
  ) {
    this.attributesVersion = versionOf(fleet);
    this.demand = demands.intern(needs);
    this.isInterruptible = needs.isInterruptible === true;
    this.priceCap = numberOf(needs.priceCapAtto);
    this.transferPriceCap = numberOf(needs.transferPriceCapAtto);
    if (needs.runtime !== '') this.require(fleet.runtimes, [needs.runtime]);
    if (needs.attestations.length > 0) this.require(fleet.attestations, needs.attestations);
    this.rule(fleet.regions, needs.regions);
    this.rule(fleet.countries, needs.countries);
  }

  /** Whether no node has come with an attribute value that the plan does not know. */
  get isCurrent(): boolean {
    return this.attributesVersion === versionOf(this.fleet);
  }

  /** Must come before each search: what changed of the nodes is taken in. */
  beginSearch(): void {
    this.mask = this.masks.of(this);
    if (this.mask || this.wordsRead < this.fleet.columns.height * maskWorthReading) return;
    this.wordsRead = 0;
    this.mask = this.masks.make(this);
  }

  /** Of the nodes 32·index to 32·index + 31, those that pass whatever is free of them. */
  word(index: number): number {
    if (this.mask) return this.mask.wordAt(index);
    this.wordsRead += 1;
    return this.attributesAt(index);
  }

  /** Of the words 32·index to 32·index + 31, those that may have a node that passes. */
  wordsAt(index: number): number {
    return this.mask ? this.mask.occupiedAt(index) : -1;
  }

  attributesAt(index: number): number {
    let word = this.namedAt(index);
    for (const bitmaps of this.anyOf) {
      let any = 0;
      for (const bitmap of bitmaps) any |= bitmap.word(index);
      word &= any;
      if (word === 0) return 0;
    }
    for (const bitmap of this.noneOf) word &= ~bitmap.word(index);
    return word;
  }

  isStanding(slot: number): boolean {
    return (this.word(slot >>> 5) & (1 << (slot & 31))) !== 0;
  }

  /** Whether a node of those in `word` meets what is left, but for the demand. */
  admits(slot: number): boolean {
    const { needs, fleet } = this;
    const { columns } = fleet;
    return (
      columns.freeMemoryMib[slot]! >= needs.memoryMib &&
      columns.freeDiskMib[slot]! >= needs.diskMib &&
      columns.freeBandwidthMbps[slot]! >= needs.bandwidthMbps &&
      (this.mask !== undefined || this.meetsTerms(slot))
    );
  }

  meetsTerms(slot: number): boolean {
    const { reliability } = this.fleet.columns;
    return (
      reliability[slot]! >= this.needs.reliabilityMin &&
      this.isAffordable(slot) &&
      this.isTransferAffordable(slot)
    );
  }

  /** Exact: numbers order as their bigints do, unless they are equal. */
  isAffordable(slot: number): boolean {
    const price = this.fleet.columns.pricesFor(this.isInterruptible)[slot]!;
    if (price !== this.priceCap) return price < this.priceCap;
    const { priceAtto, interruptiblePriceAtto } = this.fleet.factsOf(slot);
    return (this.isInterruptible ? interruptiblePriceAtto : priceAtto) <= this.needs.priceCapAtto!;
  }

  isTransferAffordable(slot: number): boolean {
    const price = this.fleet.columns.transferPrice[slot]!;
    if (price !== this.transferPriceCap) return price < this.transferPriceCap;
    return this.fleet.factsOf(slot).transferPriceAtto <= this.needs.transferPriceCapAtto!;
  }

  /** Of the nodes that alone will do, the slots of those that are there, ascending. Absent: any will. */
  slotsNamed(): readonly number[] | undefined {
    const slots = this.needs.nodes?.flatMap(nodeId => this.fleet.slotOf(nodeId) ?? []);
    return slots?.sort((left, right) => left - right);
  }

  /** They are few, and come and go: what they are in is looked up each time. */
  private namedAt(index: number): number {
    const { nodes } = this.needs;
    if (nodes === undefined) return -1;
    let word = 0;
    for (const nodeId of nodes) {
      const slot = this.fleet.slotOf(nodeId) ?? -1;
      if (slot >>> 5 === index) word |= 1 << (slot & 31);
    }
    return word;
  }

  private rule(attributes: AttributeIndex, { allowed, denied }: PlaceRule): void {
    if (allowed.length > 0) this.require(attributes, allowed);
    this.noneOf.push(...bitmapsOf(attributes, denied));
  }

  private require(attributes: AttributeIndex, values: readonly string[]): void {
    this.anyOf.push(bitmapsOf(attributes, values));
  }
}

const numberOf = (capAtto: bigint | undefined): number =>
  capAtto === undefined ? Number.POSITIVE_INFINITY : Number(capAtto);

const bitmapsOf = (attributes: AttributeIndex, values: readonly string[]): readonly Bitmap[] =>
  values.flatMap(value => attributes.bitmapOf(value) ?? []);

/** Values are only ever added, so the sum rises with each. */
const versionOf = ({ regions, countries, attestations, runtimes }: Fleet): number =>
  regions.version + countries.version + attestations.version + runtimes.version;
