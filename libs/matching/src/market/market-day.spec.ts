import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { planPreemption } from '../queue/preemption.js';
import { clearAuction, type Bid } from './auction.js';
import { chargeAtto, lockPrice, type LockedPrice } from './locked-price.js';
import { nextPostedPrice, type PriceCurve } from './posted-price.js';

/**
 * A day of one class of devices: each hour the idle devices are auctioned to interruptible leases, and
 * on-demand tasks pay the posted price and take back what they need.
 */
type Lease = {
  readonly leaseId: string;
  readonly placeId: string;
  readonly lostWork: number;
  readonly devices: number;
  readonly price: LockedPrice;
  readonly startedHour: number;
};

const DEVICES_PER_NODE = 4;
const NODES = ['n1', 'n2', 'n3'];
const HOUR_MS = 3_600_000;
const curve: PriceCurve = {
  floorAtto: 1_000n,
  ceilingAtto: 9_000n,
  kneePermille: 500,
  stepMaxPermille: 250,
};

class Day {
  postedAtto = curve.floorAtto;
  readonly interruptible: Lease[] = [];
  readonly onDemand: Lease[] = [];
  readonly charged: { readonly lease: Lease; readonly atto: bigint }[] = [];

  freeOn(placeId: string, gone: readonly Lease[] = []): number {
    const here = [...this.interruptible, ...this.onDemand].filter(
      lease => lease.placeId === placeId && !gone.includes(lease),
    );
    return DEVICES_PER_NODE - here.reduce((sum, { devices }) => sum + devices, 0);
  }

  auction(hour: number, bids: readonly Bid[]): void {
    const idle = NODES.reduce((sum, placeId) => sum + this.freeOn(placeId), 0);
    const { priceAtto, outcomes } = clearAuction(bids, { millis: idle * 1_000, reserveAtto: 500n });
    for (const { bidId, limitAtto } of bids.filter(each => outcomes.get(each.bidId) === 'won')) {
      const price = lockPrice({
        capacityClass: 'interruptible',
        marketAtto: priceAtto,
        askAtto: 0n,
        capAtto: limitAtto,
      });
      const placeId = NODES.find(place => this.freeOn(place) >= 1);
      // Who won pays no more than the bid, and what was sold is there.
      if (typeof price === 'string' || placeId === undefined) throw new Error(`${bidId} won in vain`);
      this.interruptible.push({
        leaseId: bidId,
        placeId,
        lostWork: hour,
        devices: 1,
        price,
        startedHour: hour,
      });
    }
  }

  take(
    hour: number,
    leaseId: string,
    devices: number,
    capAtto: bigint,
  ): 'taken' | 'PriceIsAboveCap' | 'full' {
    const offer = { capacityClass: 'onDemand' as const, marketAtto: this.postedAtto, askAtto: 0n, capAtto };
    const price = lockPrice(offer);
    if (typeof price === 'string') return price;
    let placeId = NODES.find(place => this.freeOn(place) >= devices);
    if (placeId === undefined) {
      const plan = planPreemption({
        leases: this.interruptible,
        fits: (place, gone) => this.freeOn(place, gone) >= devices,
        nowMs: hour * HOUR_MS,
        noticeMs: 30_000,
        leasesMax: 8,
      });
      if (!plan) return 'full';
      for (const id of plan.leaseIds) this.end(hour, id);
      placeId = plan.placeId;
    }
    this.onDemand.push({ leaseId, placeId, lostWork: 0, devices, price, startedHour: hour });
    return 'taken';
  }

  end(hour: number, leaseId: string): void {
    const all = [this.interruptible, this.onDemand].find(leases =>
      leases.some(each => each.leaseId === leaseId),
    )!;
    const [lease] = all.splice(
      all.findIndex(each => each.leaseId === leaseId),
      1,
    );
    const usedMs = (hour - lease!.startedHour) * HOUR_MS;
    const atto = chargeAtto(lease!.price, { deviceMillis: lease!.devices * 1_000, usedMs });
    this.charged.push({ lease: lease!, atto });
  }

  post(): void {
    const usedMillis = this.onDemand.reduce((sum, { devices }) => sum + devices * 1_000, 0);
    const totalMillis = NODES.length * DEVICES_PER_NODE * 1_000;
    this.postedAtto = nextPostedPrice(curve, this.postedAtto, { usedMillis, totalMillis });
  }
}

test('a gang on demand takes back one node, its leases are charged at the price they were granted', () => {
  const day = new Day();
  const bid = (index: number): Bid => ({
    bidId: `b${index}`,
    millis: 1_000,
    limitAtto: BigInt(600 + index),
    sequence: index,
  });
  day.auction(
    0,
    Array.from({ length: 14 }, (_, index) => bid(index)),
  );
  expect(day.interruptible).toHaveLength(12);
  // 14 bid for 12: the two lowest lost, and the higher of them is what everybody pays.
  expect(new Set(day.interruptible.map(({ price }) => price.perDeviceSecondAtto))).toEqual(new Set([601n]));
  expect(day.take(2, 'gang', 4, 2_000n)).toBe('taken');
  expect(new Set(day.charged.map(({ lease }) => lease.placeId)).size).toBe(1);
  expect(day.charged.map(({ atto }) => atto)).toEqual(Array.from({ length: 4 }, () => 601n * 7_200n));
});

test('whatever is asked and bid: no node is over-full, no price moves under a lease, nobody pays above a cap', () => {
  const anyHour = fc.record({
    bids: fc.array(fc.bigInt({ min: 0n, max: 3_000n }), { maxLength: 6 }),
    gangs: fc.array(fc.record({ devices: fc.integer({ min: 1, max: 5 }), capAtto: fc.bigInt(0n, 9_000n) }), {
      maxLength: 3,
    }),
    ends: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(anyHour, { maxLength: 12 }), hours => {
      const day = new Day();
      const caps = new Map<string, bigint>();
      hours.forEach(({ bids, gangs, ends }, hour) => {
        const named = bids.map((limitAtto, index) => ({
          bidId: `b${hour}.${index}`,
          millis: 1_000,
          limitAtto,
          sequence: index,
        }));
        for (const { bidId, limitAtto } of named) caps.set(bidId, limitAtto);
        day.auction(hour, named);
        gangs.forEach(({ devices, capAtto }, index) => {
          caps.set(`g${hour}.${index}`, capAtto);
          day.take(hour, `g${hour}.${index}`, devices, capAtto);
        });
        if (ends && day.onDemand[0]) day.end(hour, day.onDemand[0].leaseId);
        day.post();
        expect(NODES.every(placeId => day.freeOn(placeId) >= 0)).toBe(true);
        expect(day.postedAtto >= curve.floorAtto && day.postedAtto <= curve.ceilingAtto).toBe(true);
      });
      for (const { leaseId, price } of [...day.interruptible, ...day.onDemand]) {
        expect(price.perDeviceSecondAtto <= caps.get(leaseId)!).toBe(true);
      }
    }),
  );
});
