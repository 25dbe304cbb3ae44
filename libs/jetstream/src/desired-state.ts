import type { DesiredState } from '@astro/messages/agent';
import { decode, encode } from '@astro/messages/codec';
import { Kvm, type KV } from '@nats-io/kv';
import type { Bus } from './bus.js';
import { writeKey } from './expiring-key.js';
import { assertToken } from './subjects.js';

export const DESIRED_STATE_TYPE = 'astro.agent.v1.DesiredState';

const STREAM = 'KV_desired';
/** Position of the pool that the list was made from. */
const AS_OF = 'astro-as-of';
/** Each lost race means that another process has written. */
const MAX_RACES = 20;

/** What each node should be running. Every change goes to the node as `agent.<nodeId>.desired`. */
export class DesiredStates {
  readonly #bus: Bus;
  readonly #bucket: Promise<KV>;

  constructor(bus: Bus) {
    this.#bus = bus;
    this.#bucket = new Kvm(bus.js).open('desired');
  }

  /**
   * Replaces the whole list of one node, unless the one that stands was made from a later state: several processes may
   * write, and one of them may have slept. The same list is written anew, so that its node hears of it again.
   * @param asOf position of the pool that the list was made from
   * @returns the revision that stands, which grows with every change of any node
   */
  async put(state: DesiredState, asOf: number): Promise<number> {
    const subject = `$KV.desired.${assertToken(state.nodeId)}`;
    const value = encode(DESIRED_STATE_TYPE, state);
    for (let race = 1; race <= MAX_RACES; race++) {
      const last = await this.#bus.jsm.streams.getMessage(STREAM, { last_by_subj: subject });
      if (Number(last?.header.get(AS_OF) || 0) > asOf) return last!.seq;
      const options = { expectedRevision: last?.seq ?? 0, fields: { [AS_OF]: String(asOf) } };
      const revision = await writeKey(this.#bus, subject, value, options);
      if (revision !== undefined) return revision;
    }
    throw new Error(`the desired state of ${state.nodeId} was overtaken ${MAX_RACES} times`);
  }

  async get(
    nodeId: string,
  ): Promise<{ readonly state: DesiredState; readonly revision: number } | undefined> {
    const entry = await (await this.#bucket).get(assertToken(nodeId));
    if (entry?.operation !== 'PUT') return undefined;
    return { state: decode(DESIRED_STATE_TYPE, entry.value) as DesiredState, revision: entry.revision };
  }
}
