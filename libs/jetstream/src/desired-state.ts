import type { DesiredState } from '@astro/messages/agent';
import { decode, encode } from '@astro/messages/codec';
import { Kvm, type KV } from '@nats-io/kv';
import type { Bus } from './bus.js';
import { assertToken } from './subjects.js';

export const DESIRED_STATE_TYPE = 'astro.agent.v1.DesiredState';

/** What each node should be running. Every change goes to the node as `agent.<nodeId>.desired`. */
export class DesiredStates {
  readonly #bucket: Promise<KV>;

  constructor(bus: Bus) {
    this.#bucket = new Kvm(bus.js).open('desired');
  }

  /** Replaces the whole list of one node; gives the revision, which grows with every change of any node. */
  async put(state: DesiredState): Promise<number> {
    return (await this.#bucket).put(assertToken(state.nodeId), encode(DESIRED_STATE_TYPE, state));
  }

  async get(
    nodeId: string,
  ): Promise<{ readonly state: DesiredState; readonly revision: number } | undefined> {
    const entry = await (await this.#bucket).get(assertToken(nodeId));
    if (entry?.operation !== 'PUT') return undefined;
    return { state: decode(DESIRED_STATE_TYPE, entry.value) as DesiredState, revision: entry.revision };
  }
}
