import type { Demand } from '../../engine/demand.js';
import type { DemandRate } from '../demand-rate.js';

export type ArrivalMixOptions = {
  /** After so many arrivals one counts half as much as a new one. */
  readonly halfLifeArrivals: number;
  /** Demands that are counted; the one with the least weight gives way to a new one. */
  readonly demandsMax: number;
};

export const defaultArrivalMix: ArrivalMixOptions = { halfLifeArrivals: 20_000, demandsMax: 512 };

/** All that a mix knows, as plain data; in the order of first arrival. */
export type ArrivalMixRecord = {
  readonly unit: number;
  readonly counts: readonly { readonly demand: Demand; readonly weight: number }[];
};

type Count = { readonly demand: Demand; weight: number };

/** Weights grow rather than all old ones shrink; before they lose precision they are scaled back. */
const rescaleAbove = 1e12;

/**
 * How often each demand arrives, learned from the arrivals of a pool: counts that fade. Bounded in memory; an arrival
 * costs constant time but where a demand gives way.
 */
export class ArrivalMix {
  private readonly counts = new Map<string, Count>();
  private readonly growth: number;
  private unit = 1;

  /** @param prior is what to believe before anything has arrived, with rates in arrivals */
  constructor(
    private readonly options: ArrivalMixOptions = defaultArrivalMix,
    prior: readonly DemandRate[] = [],
  ) {
    const { halfLifeArrivals, demandsMax } = options;
    if (!(halfLifeArrivals > 0)) throw new RangeError(`halfLifeArrivals: ${halfLifeArrivals} is not above 0`);
    if (!Number.isInteger(demandsMax) || demandsMax < 1) {
      throw new RangeError(`demandsMax: ${demandsMax} is not an integer from 1 up`);
    }
    this.growth = 2 ** (1 / halfLifeArrivals);
    for (const { demand, rate } of prior) this.add(demand, rate);
  }

  /** @param count of equal requests that came together: none of them is older than another */
  arrived(demand: Demand, count = 1): void {
    this.unit *= this.growth ** count;
    if (this.unit > rescaleAbove) this.rescale();
    this.add(demand, count);
  }

  record(): ArrivalMixRecord {
    return { unit: this.unit, counts: [...this.counts.values()].map(entry => ({ ...entry })) };
  }

  /** The mix that a record was taken of; the options are those of that mix. */
  static from({ unit, counts }: ArrivalMixRecord, options?: ArrivalMixOptions): ArrivalMix {
    const mix = new ArrivalMix(options);
    mix.unit = unit;
    for (const { demand, weight } of counts) mix.counts.set(demandKey(demand), { demand, weight });
    return mix;
  }

  /** Rates in recent arrivals, in the order of first arrival. */
  rates(): DemandRate[] {
    return [...this.counts.values()].map(({ demand, weight }) => ({ demand, rate: weight / this.unit }));
  }

  private add(demand: Demand, arrivals: number): void {
    const key = demandKey(demand);
    const known = this.counts.get(key);
    if (known) {
      known.weight += arrivals * this.unit;
      return;
    }
    if (this.counts.size >= this.options.demandsMax) this.dropLightest();
    this.counts.set(key, { demand, weight: arrivals * this.unit });
  }

  private dropLightest(): void {
    let [lightest, least] = ['', Infinity];
    for (const [key, { weight }] of this.counts) {
      if (weight < least) [lightest, least] = [key, weight];
    }
    this.counts.delete(lightest);
  }

  private rescale(): void {
    for (const count of this.counts.values()) count.weight /= this.unit;
    this.unit = 1;
  }
}

/** Text that is equal for equal demands. Engines number demands themselves, so the number is no part of it. */
export function demandKey(demand: Demand): string {
  const { cpuMillis, unitCount, shareThousandths, kind = '', profile, vendor, models } = demand;
  const { unitMemoryMib, isInterconnected } = demand;
  const device = [unitCount, shareThousandths, kind, profile, vendor, models, unitMemoryMib];
  return JSON.stringify([cpuMillis, ...device, isInterconnected]);
}
