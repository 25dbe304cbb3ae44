import { derivedId } from '@astro/event-sourcing/ids';
import type { Endpoint } from '@astro/chain/rpc/endpoint';
import { EndpointFailed } from '@astro/chain/rpc/failures';
import type { RpcPool } from '@astro/chain/rpc/pool';
import { crashPoint } from '@astro/jetstream/crash-point';
import type { EventStore } from '@astro/jetstream/event-store';
import type { Log } from '@astro/jetstream/log';
import type { MirrorEvent } from '@astro/messages/chain';
import type { Block, ChainView, Heads } from './chain-view.js';
import { lookedAt, recordedAfter, rewound, tipOf, type Mirror, type Seen } from './mirror.js';

/** The chain is not the one that was mirrored, below what was final: only a person can say which one is right. */
export class FinalityBroken extends Error {
  override readonly name = 'FinalityBroken';
  constructor(finalNumber: number, hash: string) {
    super(`block ${finalNumber} was final as ${hash}, and the chain does not have it any more`);
  }
}

export type FollowerOptions = {
  readonly pool: RpcPool;
  readonly view: ChainView;
  readonly store: EventStore;
  readonly chainId: number;
  readonly log: Log;
  /** After which the record says how far it goes although nothing of ours has happened. */
  readonly headEveryMs: number;
};

export type Round = {
  /** After the round. */
  readonly mirror: Mirror;
  readonly isBehind: boolean;
  /** Of the chain, as it was seen. */
  readonly head: number;
};

/** Of one round: as many as were read within the time aimed at, and within these. */
const blocksPerRound = { min: 1, first: 32, max: 512 };
const roundAimMs = 1_000;
/** Of one atomic write. */
const eventsPerAppend = 200;
const bytesPerAppend = 4 * 1024 ** 2;
const bytesAroundLog = 64;
/** An endpoint that is this far behind another has no say in which of two forks is the chain. */
const staleBlocks = 3;

/**
 * Brings the record of one chain up to its head, one round at a time. It keeps nothing of its own: the mirror is given
 * and comes back as far as the record has moved, so that whoever goes on after a crash goes on from the record.
 */
export class Follower {
  readonly #options: FollowerOptions;
  #range = blocksPerRound.first;
  #headDueMs = 0;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /**
   * One look at the chain. @returns the mirror after it, and whether there is more to read at once
   * @throws FinalityBroken @throws ChainUnavailable @throws ConcurrencyConflict when another process is at work
   */
  async round(mirror: Mirror): Promise<Round> {
    const { pool, view } = this.#options;
    const found = await pool.withEndpoint(async endpoint => {
      const heads = await view.heads(endpoint);
      const ancestor = await this.#ancestor(endpoint, mirror, heads);
      // An endpoint whose head is below ours, and on our chain, is late; that is no reorganisation.
      const blocks = ancestor === undefined ? [] : await this.#read(endpoint, ancestor, heads);
      if (blocks.length === 0) await this.#assertNotLate(endpoint, heads);
      return { heads, ancestor, blocks };
    });
    return this.#record(mirror, found);
  }

  /**
   * The last block that the endpoint's chain and the mirror share; undefined when the endpoint has nothing after it.
   * @throws EndpointFailed when another endpoint still has our chain
   */
  async #ancestor(endpoint: Endpoint, mirror: Mirror, { head }: Heads): Promise<Seen | undefined> {
    const { view } = this.#options;
    const known = mirror.seen.filter(({ number }) => number <= head).reverse();
    const [last, ...earlier] = known;
    if (last === undefined) return undefined;
    const [hash] = await view.hashes(endpoint, [last.number]);
    if (hash === undefined) throw new EndpointFailed(endpoint.name, `has no block ${last.number}`);
    if (hash === last.hash) return last === tipOf(mirror) ? last : undefined;
    await this.#assertAgreed(endpoint, last, head);
    const hashes = await view.hashes(
      endpoint,
      earlier.map(({ number }) => number),
    );
    const shared = earlier.find(({ hash: ours }, index) => hashes[index] === ours);
    if (shared) return shared;
    throw new FinalityBroken(mirror.seen[0].number, mirror.seen[0].hash);
  }

  /** While an endpoint that is not late holds on to our block, the other one may be the one that is wrong. */
  async #assertAgreed(accuser: Endpoint, ours: Seen, head: number): Promise<void> {
    const { pool, view } = this.#options;
    for (const endpoint of pool.endpoints) {
      if (endpoint === accuser || !endpoint.isReady) continue;
      const itsHead = await view.heads(endpoint).catch(onlyFailures);
      if (itsHead === undefined || itsHead.head + staleBlocks < head) continue;
      const [hash] = (await view.hashes(endpoint, [ours.number]).catch(onlyFailures)) ?? [];
      if (hash === ours.hash)
        throw new EndpointFailed(accuser.name, `${endpoint.name} does not agree on block ${ours.number}`);
    }
  }

  /** One that is stuck answers well, and would be asked first for ever. @throws EndpointFailed */
  async #assertNotLate(endpoint: Endpoint, { head }: Heads): Promise<void> {
    const { pool, view } = this.#options;
    for (const other of pool.endpoints) {
      if (other === endpoint || !other.isReady) continue;
      const heads = await view.heads(other).catch(onlyFailures);
      if (heads !== undefined && heads.head > head + staleBlocks)
        throw new EndpointFailed(endpoint.name, `is ${heads.head - head} blocks behind ${other.name}`);
    }
  }

  async #read(endpoint: Endpoint, ancestor: Seen, { head }: Heads): Promise<readonly Block[]> {
    const from = ancestor.number + 1;
    const to = Math.min(head, ancestor.number + this.#range);
    if (to < from) return [];
    const startedMs = performance.now();
    try {
      const blocks = await this.#options.view.blocks(endpoint, from, to);
      if (blocks[0]!.parentHash !== ancestor.hash)
        throw new EndpointFailed(endpoint.name, `block ${from} does not follow the one before it`);
      const pace = roundAimMs / Math.max(1, performance.now() - startedMs);
      this.#range = within(Math.ceil(this.#range * Math.min(2, Math.max(0.5, pace))));
      return blocks;
    } catch (error) {
      this.#range = within(this.#range >> 1);
      throw error;
    }
  }

  async #record(
    mirror: Mirror,
    { heads, ancestor, blocks }: { heads: Heads; ancestor: Seen | undefined; blocks: readonly Block[] },
  ) {
    const base = ancestor ?? tipOf(mirror);
    const reverted = recordedAfter(mirror, base);
    const depth = tipOf(mirror).number - base.number;
    if (depth > 0) this.#options.log.warn('the chain was reorganised', { depth, blocks: reverted.length });
    const events: MirrorEvent[] = reverted.map(({ number, hash }) => ({
      type: 'BlockReverted',
      data: { number, hash, finalNumber: mirror.finalNumber },
    }));
    const { finalNumber } = mirror;
    if (depth > 0) events.push({ type: 'HeadFollowed', data: { ...headOf(base), finalNumber } });
    for (const block of blocks)
      if (block.logs.length > 0)
        events.push({ type: 'BlockIndexed', data: { ...block, final: block.number <= heads.final } });
    const seen = blocks.map(({ number, hash, logs }) => ({ number, hash, isRecorded: logs.length > 0 }));
    const tip = blocks.at(-1);
    const kept = rewound(mirror, base);
    const next = tip ? lookedAt(kept, seen, Math.min(heads.final, tip.number)) : kept;
    if (tip && this.#isHeadDue(mirror, next, tip))
      events.push({ type: 'HeadFollowed', data: { ...headOf(tip), finalNumber: next.finalNumber } });
    const position = await this.#append(mirror.position, events);
    const isBehind = tipOf(next).number < heads.head && blocks.length > 0;
    return { mirror: { ...next, position }, isBehind, head: heads.head };
  }

  /** When recorded blocks have become final, when enough was read, and now and then. */
  #isHeadDue(before: Mirror, after: Mirror, tip: Block): boolean {
    const nowMs = performance.now();
    const becameFinal = before.seen.some(
      ({ number, isRecorded }) => isRecorded && number > before.finalNumber && number <= after.finalNumber,
    );
    const isWholeRound = tip.number - tipOf(before).number >= blocksPerRound.first;
    if (!becameFinal && !isWholeRound && nowMs < this.#headDueMs) return false;
    this.#headDueMs = nowMs + this.#options.headEveryMs;
    return true;
  }

  /** In as few atomic writes as their limits allow. @returns the position of the last event */
  async #append(after: number, events: readonly MirrorEvent[]): Promise<number> {
    const { store, chainId } = this.#options;
    let position = after;
    for (const part of partsOf(events)) {
      // The same blocks at the same place of the record are the same event, and nothing else is.
      const commandId = derivedId(
        'cmd',
        chainId,
        position,
        ...part.map(({ type, data }) => `${type} ${data.hash}`),
      );
      crashPoint('before-publish');
      const appended = await store.append({ type: 'chain.mirror', id: String(chainId) }, part, {
        expectedPosition: position,
        commandId,
        metadata: { correlationId: commandId, causationId: commandId, actor: 'service:chain-indexer' },
      });
      crashPoint('after-puback');
      position = appended.position;
    }
    return position;
  }
}

function* partsOf(events: readonly MirrorEvent[]): Generator<readonly MirrorEvent[]> {
  let part: MirrorEvent[] = [];
  let bytes = 0;
  for (const event of events) {
    const size = event.type === 'BlockIndexed' ? bytesOf(event.data.logs) : 0;
    if (part.length > 0 && (part.length === eventsPerAppend || bytes + size > bytesPerAppend)) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(event);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

const bytesOf = (logs: Block['logs']): number =>
  logs.reduce((sum, { topics, data }) => sum + bytesAroundLog + topics.length * 34 + data.length, 0);

const headOf = ({ number, hash }: Seen | Block) => ({ number, hash });

const within = (blocks: number): number => Math.min(blocksPerRound.max, Math.max(blocksPerRound.min, blocks));

function onlyFailures(error: unknown): undefined {
  if (!(error instanceof EndpointFailed)) throw error;
}
