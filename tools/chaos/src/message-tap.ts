import type { Bus } from '@astro/jetstream/bus';

/** How long a stream is listened to for more of what it holds. */
const fetchMs = 2_000;

/** A message of any stream, as it stands there. */
export type Tapped = {
  readonly subject: string;
  readonly position: number;
  readonly data: Uint8Array;
  readonly id: string;
  /** Stores it once more, as a sender that repeats itself after the duplicate window does. */
  repeat(tag: string): Promise<void>;
};

/** At most `count` of the newest messages of a stream, oldest first. */
export async function newestOf(bus: Bus, stream: string, count: number): Promise<readonly Tapped[]> {
  const { state } = await bus.jsm.streams.info(stream);
  const first = Math.max(state.first_seq, state.last_seq - count + 1);
  const expected = state.last_seq - first + 1;
  if (state.messages === 0 || expected <= 0) return [];
  const consumer = await bus.js.consumers.get(stream, { opt_start_seq: first });
  const tapped: Tapped[] = [];
  for await (const { subject, seq, data, headers } of await consumer.fetch({
    max_messages: expected,
    expires: fetchMs,
  })) {
    const repeat = async (tag: string) => {
      // What the bus itself wrote into the headers belongs to the first publication.
      for (const name of headers?.keys() ?? []) if (name.startsWith('Nats-')) headers?.delete(name);
      headers?.set('Nats-Msg-Id', `${tag}-${stream}-${seq}`);
      await bus.js.publish(subject, data, { ...(headers && { headers }) });
    };
    tapped.push({ subject, position: seq, data, id: headers?.get('ce-id') ?? '', repeat });
    if (seq >= state.last_seq) break;
  }
  return tapped;
}
