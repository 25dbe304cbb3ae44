import { interruptibleAskAtto } from '@astro/messages/asks';
import { engineTerms, isTerm } from '@astro/matching/engine/weights';
import type { ExplainTick, Grant, LeasesGranted, PoolEvent, TickChange } from '@astro/messages/scheduling';
import { evolve } from './evolve.js';
import { decideTick } from './grants.js';
import { reweigh } from './learning/adopt.js';
import { poolSnapshot } from './pool-snapshot.js';
import { emptyPool, type Pool } from './pool-state.js';

/** What a tick did, or would have done: for the job that is asked about, and how much for all others. */
export type TickOutcome = {
  readonly grants: readonly Pick<Grant, 'taskId' | 'nodeId' | 'operatorId' | 'pricePerSecondAtto'>[];
  readonly grantsOfJob: number;
  readonly grantsOfOthers: number;
};

export type TickExplanation = {
  readonly position: number;
  readonly decidedAt: Date;
  readonly policy: string;
  readonly weightsVersion: number;
  readonly recorded: TickOutcome;
  /** Whether today's rules decide the tick as it was recorded; where they do not, a change tells of today's rules. */
  readonly isRepeated: boolean;
  readonly changed: TickOutcome;
};

const GRANTS_LISTED_MAX = 50;
/** Far beyond every weight that means something. */
const WEIGHT_MAX = 1_000_000;

/** What is wrong with a change: names the field and its rule. */
export function changeFlaw({ nodeWithdrawn, nodePrice, maxPricePerSecondAtto, termWeight }: TickChange) {
  const set = [nodeWithdrawn, nodePrice, maxPricePerSecondAtto, termWeight].filter(
    part => part !== undefined,
  );
  if (set.length !== 1) return `change: ${set.length} things are changed instead of one`;
  if (nodePrice && nodePrice.pricePerSecondAtto < 0n) return 'change.nodePrice: is below 0';
  if (maxPricePerSecondAtto !== undefined && maxPricePerSecondAtto < 1n)
    return 'change.maxPricePerSecondAtto: is below 1';
  if (!termWeight) return undefined;
  const { term, weight } = termWeight;
  if (!isTerm(term))
    return `change.termWeight: '${term.slice(0, 40)}' is not one of ${engineTerms.join(', ')}`;
  const isWeight = weight >= 0 && weight <= WEIGHT_MAX;
  return isWeight ? undefined : `change.termWeight: ${weight} is not 0 to ${WEIGHT_MAX}`;
}

/**
 * Brings a pool up to a tick and decides the tick on it twice, once with one thing changed. The same events and the
 * same change give the same answer.
 */
export class TickReplay {
  #before: Pool;
  /** The same pool, unless the change goes back to before the tick. */
  #changed: Pool;

  /** @param pool of some time before the tick; when another cap is asked about, from before it knew the job */
  constructor(
    private readonly question: ExplainTick,
    pool: Pool = emptyPool(),
  ) {
    this.#before = pool;
    this.#changed =
      question.change.maxPricePerSecondAtto === undefined
        ? pool
        : poolSnapshot.decode(poolSnapshot.encode(pool));
  }

  /** In their order, all that followed until the tick. */
  apply(event: PoolEvent): void {
    const isOne = this.#changed === this.#before;
    this.#before = evolve(this.#before, event);
    this.#changed = isOne ? this.#before : evolve(this.#changed, this.#withCap(event));
  }

  get knowsJob(): boolean {
    const { jobId, tenantId } = this.question;
    return this.#before.jobs.get(jobId)?.tenantId === tenantId;
  }

  get knowsNode(): boolean {
    const { nodeWithdrawn, nodePrice } = this.question.change;
    const nodeId = nodeWithdrawn ?? nodePrice?.nodeId;
    return nodeId === undefined || this.#before.nodes.has(nodeId);
  }

  decide(position: number, tick: LeasesGranted & { readonly decidedAt: Date }): TickExplanation {
    const { decidedAt, policy, weightsVersion } = tick;
    const again = decideAgain(this.#before, decidedAt);
    this.#change();
    return {
      position,
      decidedAt,
      policy,
      weightsVersion,
      recorded: this.#outcomeOf(tick.grants),
      isRepeated: said(again) === said(tick.grants),
      changed: this.#outcomeOf(decideAgain(this.#changed, decidedAt)),
    };
  }

  /** A cap is part of the job, so that it was another one from when the pool learned of the job. */
  #withCap(event: PoolEvent): PoolEvent {
    const { jobId, change } = this.question;
    const { maxPricePerSecondAtto } = change;
    const isOfJob = event.type === 'TasksQueued' && event.data.jobId === jobId;
    if (!isOfJob || maxPricePerSecondAtto === undefined) return event;
    const { spec } = event.data;
    const requirements = { ...spec.requirements, maxPricePerSecondAtto };
    return { ...event, data: { ...event.data, spec: { ...spec, requirements } } };
  }

  /** What runs on a node that is withdrawn, or dearer, runs on: the tick alone sees the change. */
  #change(): void {
    const { nodeWithdrawn, nodePrice, termWeight } = this.question.change;
    const pool = this.#changed;
    if (nodeWithdrawn !== undefined) {
      // It keeps its place and what it holds, and runs nothing that is new.
      const { engineOffer } = pool.nodes.get(nodeWithdrawn)!;
      pool.room.updateNode({ ...engineOffer, runtimes: [] });
    }
    if (nodePrice) {
      const { engineOffer, offer } = pool.nodes.get(nodePrice.nodeId)!;
      const { pricePerSecondAtto } = nodePrice;
      const interruptiblePriceAtto = interruptibleAskAtto({ ...offer, pricePerSecondAtto });
      const prices = { pricePerDeviceSecondAtto: pricePerSecondAtto, interruptiblePriceAtto };
      pool.room.updateNode({ ...engineOffer, ...prices });
    }
    if (termWeight) reweigh(pool, { ...pool.engine.termWeights, [termWeight.term]: termWeight.weight });
  }

  #outcomeOf(grants: readonly Grant[]): TickOutcome {
    const own = grants.filter(({ jobId }) => jobId === this.question.jobId);
    const listed = own.slice(0, GRANTS_LISTED_MAX);
    return {
      grants: listed.map(({ taskId, nodeId, operatorId, pricePerSecondAtto }) => ({
        taskId,
        nodeId,
        operatorId,
        pricePerSecondAtto,
      })),
      grantsOfJob: own.length,
      grantsOfOthers: grants.length - own.length,
    };
  }
}

const decideAgain = (pool: Pool, now: Date): readonly Grant[] =>
  pool.room.simulate(() => decideTick(pool, now).grants);

/** What matters of grants: who got which node, at what price. */
const said = (grants: readonly Grant[]): string =>
  grants
    .map(({ leaseId, nodeId, pricePerSecondAtto }) => `${leaseId} ${nodeId} ${pricePerSecondAtto}`)
    .join('\n');
