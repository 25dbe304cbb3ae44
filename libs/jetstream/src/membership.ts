import { nuid } from '@nats-io/transport-node';
import type { Bus } from './bus.js';
import type { Worker } from './assignment.js';
import { readPage } from './direct-read.js';
import { deleteKey, isMarker, readKey, writeKey } from './expiring-key.js';

const STREAM = 'KV_work';
const PAGE_SIZE = 256;
/** The server counts in whole seconds. A process that is silent for this long has lost its work. */
const TTL_MS = 5_000;
/** Three renewals may be late or lost before the membership is. */
export const RENEWAL_MS = TTL_MS / 4;

const separator = '\n';

const memberSubject = (service: string, id: string): string => `$KV.work.${service}.member.${id}`;
export const unitSubject = (service: string, unit: string): string => `$KV.work.${service}.unit.${unit}`;

/**
 * One stay of a process among those that share the work of a service: a key that vanishes when it is not renewed. A
 * stay that has ended is never taken up again, so that nobody mistakes a process that slept for one that was there.
 */
export class Membership {
  readonly id = nuid.next();
  readonly #bus: Bus;
  readonly #service: string;
  readonly #units: readonly string[];
  #revision = 0;
  #validUntilMs = 0;

  /** @param units the names of what this process can do */
  constructor(bus: Bus, service: string, units: readonly string[]) {
    this.#bus = bus;
    this.#service = service;
    this.#units = units;
  }

  /** Counted from before the last renewal was sent, so that it ends here before it ends on the server. */
  get isAlive(): boolean {
    return performance.now() < this.#validUntilMs;
  }

  /** Joins, or stays for longer; does nothing once the stay has ended. @throws Error when there is no answer */
  async renew(): Promise<void> {
    if (this.#revision > 0 && !this.isAlive) return;
    const startedMs = performance.now();
    const revision = await writeKey(this.#bus, this.#subject, this.#units.join(separator), {
      expectedRevision: this.#revision,
      ttlMs: TTL_MS,
    });
    this.#validUntilMs = revision === undefined ? 0 : startedMs + TTL_MS;
    this.#revision = revision ?? this.#revision;
  }

  async leave(): Promise<void> {
    if (!this.isAlive) return;
    this.#validUntilMs = 0;
    await deleteKey(this.#bus, this.#subject, this.#revision);
  }

  get #subject(): string {
    return memberSubject(this.#service, this.id);
  }
}

/** Who has taken a unit last; `revision` is what the next one to take it must have seen. */
export type Claim = { readonly holder: string | undefined; readonly revision: number };

/**
 * Who shares the work of a service, and who has claimed what. A member that is renewed while this is read may be
 * missing: ask `isGone` before taking anything from it.
 */
export async function readWork(
  bus: Bus,
  service: string,
): Promise<{ readonly workers: readonly Worker[]; readonly claims: ReadonlyMap<string, Claim> }> {
  const workers: Worker[] = [];
  const claims = new Map<string, Claim>();
  for (let next: number | undefined = 1; next !== undefined;) {
    const all = `$KV.work.${service}.>`;
    const page = await readPage(bus, STREAM, { seq: next, batch: PAGE_SIZE, next_by_subj: all });
    for (const { subject, seq, header, data } of page) {
      const [, , , kind, name = ''] = subject.split('.');
      const value = isMarker(header) ? '' : new TextDecoder().decode(data);
      if (kind === 'unit') claims.set(name, { holder: value || undefined, revision: seq });
      else if (value) workers.push({ id: name, units: value.split(separator) });
    }
    next = page.length < PAGE_SIZE ? undefined : page.at(-1)!.seq + 1;
  }
  return { workers, claims };
}

/** Asked of the leader, before anything is taken from somebody who seems to be gone. */
export async function isGone(bus: Bus, service: string, id: string): Promise<boolean> {
  return (await readKey(bus, STREAM, memberSubject(service, id))).value === undefined;
}
