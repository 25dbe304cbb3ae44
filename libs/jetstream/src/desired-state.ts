import type { AuditOrders, DesiredState } from '@astro/messages/agent';
import { decode, encode } from '@astro/messages/codec';
import { Kvm, type KV } from '@nats-io/kv';
import type { Bus } from './bus.js';
import { writeKey } from './expiring-key.js';
import { assertToken } from './subjects.js';

export const DESIRED_STATE_TYPE = 'astro.agent.v1.DesiredState';
export const AUDIT_ORDERS_TYPE = 'astro.agent.v1.AuditOrders';

/** Position of what the list was made from. */
const AS_OF = 'astro-as-of';
/** Each lost race means that another process has written. */
const MAX_RACES = 20;

/** One list for each node, in a bucket. Every change goes to the node as `agent.<nodeId>.<bucket>`. */
class NodeLists<List extends { readonly nodeId: string }> {
  readonly #bus: Bus;
  readonly #name: string;
  readonly #typeName: string;
  readonly #bucket: Promise<KV>;

  constructor(bus: Bus, name: string, typeName: string) {
    this.#bus = bus;
    this.#name = name;
    this.#typeName = typeName;
    this.#bucket = new Kvm(bus.js).open(name);
  }

  /**
   * Replaces the whole list of one node, unless the one that stands was made from a later state: several processes may
   * write, and one of them may have slept. The same list is written anew, so that its node hears of it again.
   * @param asOf position of what the list was made from: of desired states, the pool's
   * @returns the revision that stands, which grows with every change of any node
   */
  async put(list: List, asOf: number): Promise<number> {
    const subject = `$KV.${this.#name}.${assertToken(list.nodeId)}`;
    const value = encode(this.#typeName, list);
    for (let race = 1; race <= MAX_RACES; race++) {
      const last = await this.#bus.jsm.streams.getMessage(`KV_${this.#name}`, { last_by_subj: subject });
      if (Number(last?.header.get(AS_OF) || 0) > asOf) return last!.seq;
      const options = { expectedRevision: last?.seq ?? 0, fields: { [AS_OF]: String(asOf) } };
      const revision = await writeKey(this.#bus, subject, value, options);
      if (revision !== undefined) return revision;
    }
    throw new Error(`the list of ${list.nodeId} was overtaken ${MAX_RACES} times`);
  }

  async get(nodeId: string): Promise<{ readonly state: List; readonly revision: number } | undefined> {
    const entry = await (await this.#bucket).get(assertToken(nodeId));
    if (entry?.operation !== 'PUT') return undefined;
    return { state: decode(this.#typeName, entry.value) as List, revision: entry.revision };
  }
}

/** What each node should be running. */
export class DesiredStates extends NodeLists<DesiredState> {
  constructor(bus: Bus) {
    super(bus, 'desired', DESIRED_STATE_TYPE);
  }
}

/** What each validator was drawn to run again. */
export class OrdersOfValidators extends NodeLists<AuditOrders> {
  constructor(bus: Bus) {
    super(bus, 'audits', AUDIT_ORDERS_TYPE);
  }
}
