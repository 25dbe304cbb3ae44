import { clearAuction, type Bid } from '@astro/matching/market/auction';
import type { Placement } from '@astro/matching/engine/engine';
import { auctionedPriceAtto, bidAtto, surgeOf } from './market.js';
import { waitingReplicas, type PoolTask } from './pool-job.js';
import { kindOf, millisOf, pricedKinds, type PricedKind } from './pool-use.js';
import { grant, isFull, requestBeside, type Tick } from './tick.js';
import { byQueueing } from './waiting-tasks.js';
import type { WaitingGroup } from './waiting-group.js';

type Sale = { readonly task: PoolTask; readonly replica: number; readonly placed: Placement };

/**
 * Sells what is left after all else has been placed, one auction for each kind of device. The highest bids are placed
 * first, each where it fits best; a bid that would have fitted when the auction began and finds no room any more has
 * lost, and sets the price with the others that did.
 * @returns the clearing price of each kind of which something was sold, for each device and second
 */
export function sellIdleCapacity(tick: Tick): ReadonlyMap<PricedKind, bigint> {
  const clearings = new Map<PricedKind, bigint>();
  const groups = tick.pool.waiting.bidding;
  for (const kind of pricedKinds) {
    const bidding = groups
      .filter(group => kindOf(group.spec) === kind && hasRoom(tick, group))
      .sort(precedence);
    if (bidding.length === 0) continue;
    const { sales, lost } = sell(tick, bidding);
    if (sales.length === 0) continue;
    const clearingAtto = clearingPriceAtto(sales, lost);
    clearings.set(kind, clearingAtto);
    const surgePermille = surgeOf(tick.pool, kind, tick.now);
    for (const { task, replica, placed } of sales) {
      const terms = { clearingAtto, placed, surgePermille };
      grant(tick, task, replica, { placed, pricePerSecondAtto: auctionedPriceAtto(task.job.spec, terms) });
    }
  }
  return clearings;
}

/** All that wait for the same bid the same. */
const precedence = (left: WaitingGroup, right: WaitingGroup): number => {
  const [more, less] = [bidAtto(left.spec), bidAtto(right.spec)];
  return more === less ? byQueueing(left.tasks.first!, right.tasks.first!) : more > less ? -1 : 1;
};

function hasRoom(tick: Tick, { tasks }: WaitingGroup): boolean {
  const { engine } = tick.pool;
  return engine.find(engine.query(requestBeside(tick, tasks.first!))).slot >= 0;
}

function sell(tick: Tick, bidding: readonly WaitingGroup[]) {
  const sales: Sale[] = [];
  const lost: WaitingGroup[] = [];
  for (const group of bidding) {
    for (const task of group.tasks) {
      // What is not reached is served by the next tick and has lost nothing.
      if (isFull(tick, sales.length)) return { sales, lost };
      const sold = sellTo(tick, group, task, sales.length);
      sales.push(...sold);
      if (sold.length > 0) continue;
      lost.push(group);
      break;
    }
  }
  return { sales, lost };
}

function sellTo(tick: Tick, group: WaitingGroup, task: PoolTask, toCome: number): readonly Sale[] {
  const sales: Sale[] = [];
  const { service } = task.job;
  const replicas = service ? waitingReplicas(task) : group.replicas;
  const request = requestBeside(tick, task);
  const operatorsExcluded = new Set(request.operatorsExcluded);
  for (let replica = 1; replica <= replicas && !isFull(tick, toCome + sales.length); replica += 1) {
    const placed = tick.pool.engine.place({ ...request, operatorsExcluded });
    if (placed === 'NoNodeFits') break;
    if (!service && replica < replicas)
      tick.pool.kinship.addWithRelatives(placed.operatorId, operatorsExcluded);
    sales.push({ task, replica, placed });
  }
  return sales;
}

/**
 * The library's auction over exactly what was sold: those that found room take it all, and of the others, one bid
 * for each group, the highest that is not above the lowest that won is the price. Bids above that lost for want of
 * room that suits them, and not by their price.
 */
function clearingPriceAtto(sales: readonly Sale[], lost: readonly WaitingGroup[]): bigint {
  const won = sales.map(({ task: { job, spec }, replica }, sequence): Bid => {
    const bidId = `${job.jobId} ${spec.taskId} ${replica}`;
    return { bidId, millis: millisOf(job.spec), limitAtto: bidAtto(job.spec), sequence };
  });
  const lowestAtto = won.reduce(
    (low, { limitAtto }) => (limitAtto < low ? limitAtto : low),
    won[0]!.limitAtto,
  );
  const outbid = lost
    .filter(({ spec }) => bidAtto(spec) <= lowestAtto)
    .map(({ key, spec }, index): Bid => {
      const sequence = won.length + index;
      return { bidId: `lost ${key}`, millis: millisOf(spec), limitAtto: bidAtto(spec), sequence };
    });
  const asks = sales.map(({ placed }) => placed.interruptiblePriceAtto);
  const reserveAtto = asks.reduce((low, askAtto) => (askAtto < low ? askAtto : low));
  const millis = won.reduce((sum, bid) => sum + bid.millis, 0);
  return clearAuction([...won, ...outbid], { millis, reserveAtto }).priceAtto;
}
