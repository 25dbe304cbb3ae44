import type { Subscription } from '@nats-io/transport-node';
import { assign } from './assignment.js';
import type { Bus } from './bus.js';
import { backOffMs, delay } from './delay.js';
import { writeKey } from './expiring-key.js';
import { Holding, type Unit } from './holding.js';
import { reasonOf, type Log } from './log.js';
import { isGone, Membership, readWork, RENEWAL_MS, unitSubject, type Claim } from './membership.js';
import { assertToken } from './subjects.js';

export type { Part, Unit } from './holding.js';

/** Joining and leaving are announced; this is for what nobody could announce. */
const TICK_MS = 1_000;
const RETRY_BACK_OFF = { baseMs: 100, maxMs: 5_000 };

type Taken = readonly [name: string, holding: Holding];

/** What a process has of the work of its service. */
export type WorkReport = {
  readonly member: string;
  readonly units: readonly { readonly name: string; readonly isHeld: boolean; readonly handled: number }[];
};

/**
 * The work of a service, shared by all of its processes. Each unit is done by one of them at a time; those that join
 * get a fair part, and what a process had is taken over at once when it leaves, and within seconds when it dies.
 *
 * Members and claims are keys of a bucket. A claim is written only over the one that was seen, so that each has one
 * winner; its revision is the epoch under which the server lets the holder consume. Clocks decide when somebody may be
 * taken for dead, never who is served.
 */
export class SharedWork {
  readonly #bus: Bus;
  readonly #service: string;
  readonly #log: Log;
  readonly #units = new Map<string, Unit>();
  readonly #companions = new Map<string, Unit['open'][]>();
  readonly #held = new Map<string, Holding>();
  /** By unit, of holdings that have ended. */
  readonly #handledBefore = new Map<string, number>();
  readonly #stopping = new AbortController();
  readonly #leaving = new AbortController();
  #member: Membership | undefined;
  #nudged = new AbortController();
  #peers: Subscription | undefined;
  #hasStarted = false;
  #running: Promise<void> = Promise.resolve();
  #renewing: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;

  constructor(bus: Bus, service: string, log: Log) {
    this.#bus = bus;
    this.#service = assertToken(service);
    this.#log = log;
  }

  /** Before the start: something that this process can do. */
  add(unit: Unit): void {
    if (this.#hasStarted) throw new Error(`${unit.name} comes after the start`);
    if (this.#units.has(assertToken(unit.name))) throw new Error(`there are two units named ${unit.name}`);
    this.#units.set(unit.name, unit);
  }

  /** Before the start: something that runs wherever the unit of that name does. */
  accompany(unitName: string, open: Unit['open']): void {
    this.#companions.set(unitName, [...(this.#companions.get(unitName) ?? []), open]);
  }

  /** Resolves when this process does what fell to it. */
  async start(): Promise<void> {
    const stray = [...this.#companions.keys()].find(name => !this.#units.has(name));
    if (stray !== undefined) throw new Error(`there is no unit named ${stray} to accompany`);
    if (this.#units.size === 0 || this.#hasStarted) return;
    this.#hasStarted = true;
    this.#peers = this.#bus.connection.subscribe(this.#peersSubject, { callback: () => this.#nudge() });
    this.#renewing = this.#renew();
    await new Promise<void>(resolve => {
      this.#running = this.#run(resolve);
    });
  }

  /** Finishes what is begun, and leaves the rest to the others at once. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** What keeps this process from doing its part; undefined when nothing does. */
  get problem(): string | undefined {
    if (this.#units.size === 0) return undefined;
    if (!this.#member?.isAlive) return 'not among those who share the work';
    const ill = [...this.#held].filter(([, holding]) => !holding.healthy).map(([name]) => name);
    return ill.length === 0 ? undefined : `messages are not moving: ${ill.join(', ')}`;
  }

  report(): WorkReport {
    const units = [...this.#units.keys()].map(name => {
      const holding = this.#held.get(name);
      const handled = (this.#handledBefore.get(name) ?? 0) + (holding?.handled ?? 0);
      return { name, isHeld: holding?.isHeld ?? false, handled };
    });
    return { member: this.#member?.id ?? '', units };
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    this.#nudge();
    await this.#running;
    this.#peers?.unsubscribe();
    await Promise.all([...this.#held].map(([name, holding]) => this.#handOver(name, holding)));
    this.#leaving.abort();
    await this.#renewing;
    try {
      await this.#member?.leave();
    } catch (error) {
      this.#log.warn('could not say goodbye; the others will notice', { reason: reasonOf(error) });
    }
    this.#announce();
  }

  async #run(started: () => void): Promise<void> {
    let isFirst = true;
    for (let failures = 0; !this.#stopping.signal.aborted;) {
      try {
        const taken = await this.#settleUnits();
        failures = 0;
        // Not awaited: a unit that opens slowly must not hold up the others.
        const opened = Promise.all(taken.map(([name, holding]) => this.#open(name, holding)));
        if (isFirst) void opened.then(started);
        isFirst = false;
      } catch (error) {
        failures += 1;
        this.#log.warn('the work could not be shared out', { reason: reasonOf(error), failures });
      }
      await delay(failures > 0 ? backOffMs(failures, RETRY_BACK_OFF) : TICK_MS, this.#nudged.signal);
      if (this.#nudged.signal.aborted) this.#nudged = new AbortController();
    }
    started();
  }

  /** Goes on while the last messages are being finished. */
  async #renew(): Promise<void> {
    for (;;) {
      await delay(RENEWAL_MS, this.#leaving.signal);
      if (this.#leaving.signal.aborted) return;
      try {
        await this.#member?.renew();
      } catch (error) {
        this.#log.warn('the membership was not renewed', { reason: reasonOf(error) });
      }
      if (this.#member?.isAlive === false) this.#nudge();
    }
  }

  /** Compares what this process has with what it should have; gives what it took, which is still to be opened. */
  async #settleUnits(): Promise<readonly Taken[]> {
    const member = await this.#livingMember();
    const { workers, claims } = await readWork(this.#bus, this.#service);
    const me = { id: member.id, units: [...this.#units.keys()] };
    const others = workers.filter(({ id }) => id !== me.id);
    const holders = new Map<string, string>();
    for (const [name, { holder }] of claims) if (holder !== undefined) holders.set(name, holder);
    for (const name of this.#held.keys()) holders.set(name, me.id);
    const assignment = assign([me, ...others], holders);
    for (const [name, holding] of this.#held) {
      if (holding.isClosing) continue;
      const isTaken = (claims.get(name)?.revision ?? 0) > holding.epoch;
      if (isTaken || !holding.isHeld) this.#lose(name, holding);
      else if (assignment.get(name) !== me.id) void this.#handOver(name, holding);
    }
    const taking = me.units.map(async (name): Promise<Taken | undefined> => {
      const claim = claims.get(name) ?? { holder: undefined, revision: 0 };
      if (this.#held.has(name) || others.some(({ id }) => id === claim.holder)) return undefined;
      if (assignment.get(name) === me.id) return this.#take(name, claim, member);
      if (claim.holder === me.id) await this.#release(name, claim.revision);
      return undefined;
    });
    return (await Promise.all(taking)).filter(taken => taken !== undefined);
  }

  /** After a silence that was too long everything starts anew, as if this process had just come. */
  async #livingMember(): Promise<Membership> {
    if (this.#member?.isAlive) return this.#member;
    const member = new Membership(this.#bus, this.#service, [...this.#units.keys()]);
    await member.renew();
    this.#member = member;
    this.#announce();
    return member;
  }

  async #take(name: string, { holder, revision }: Claim, member: Membership): Promise<Taken | undefined> {
    const afterDeath = holder !== undefined && holder !== member.id;
    if (afterDeath && !(await isGone(this.#bus, this.#service, holder))) return undefined;
    const subject = unitSubject(this.#service, name);
    const epoch = await writeKey(this.#bus, subject, member.id, { expectedRevision: revision });
    if (epoch === undefined) return undefined;
    const opens = [this.#units.get(name)!.open, ...(this.#companions.get(name) ?? [])];
    const holding = new Holding(opens, member, { epoch, afterDeath });
    this.#held.set(name, holding);
    if (afterDeath) this.#log.info(`takes ${name} over from a process that fell silent`, { epoch });
    return [name, holding];
  }

  async #open(name: string, holding: Holding): Promise<void> {
    try {
      await holding.start();
    } catch (error) {
      this.#log.error(`${name} could not be opened`, { reason: reasonOf(error) });
      await this.#handOver(name, holding);
    }
  }

  #lose(name: string, holding: Holding): void {
    this.#log.warn(`has lost ${name}`, { epoch: holding.epoch });
    void holding.lose().then(() => this.#forget(name, holding));
  }

  async #handOver(name: string, holding: Holding): Promise<void> {
    await holding.close();
    try {
      await this.#release(name, holding.epoch);
    } catch (error) {
      this.#log.warn(`${name} was not released yet`, { reason: reasonOf(error) });
    }
    this.#forget(name, holding);
    this.#announce();
  }

  /** A release that fails is repeated by the next look at the claims, or ends with the membership. */
  async #release(name: string, revision: number): Promise<void> {
    await writeKey(this.#bus, unitSubject(this.#service, name), '', { expectedRevision: revision });
  }

  #forget(name: string, holding: Holding): void {
    if (this.#held.get(name) !== holding) return;
    this.#held.delete(name);
    this.#handledBefore.set(name, (this.#handledBefore.get(name) ?? 0) + holding.handled);
    this.#nudge();
  }

  /** Saves the others the wait until they look by themselves. */
  #announce(): void {
    if (this.#bus.isUp) this.#bus.connection.publish(this.#peersSubject);
  }

  #nudge(): void {
    this.#nudged.abort();
  }

  get #peersSubject(): string {
    return `work.${this.#service}`;
  }
}
