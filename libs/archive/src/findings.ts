import type { StoredMessage } from '@astro/jetstream/stored-messages';

/** Where the archive and its stream, or the archive and its own chain, do not agree. */
export type FindingKind =
  /** What a row holds is neither what was chained nor what the stream holds. */
  | 'altered'
  /** A row is gone, and later ones are there. */
  | 'deleted'
  /** The archive's end is gone. */
  | 'truncated'
  /** A row holds the event of another sequence. */
  | 'reordered'
  /** A row beyond the archive's head, which nobody wrote by appending. */
  | 'extra'
  /** The head is not the hash of the last event. */
  | 'head altered'
  /** A row is what was chained, and the stream holds something else there. */
  | 'stream altered'
  /** A row is what was chained, and the stream has no message there. */
  | 'missing from stream'
  /** As before, at the stream's end. */
  | 'stream truncated';

export type Finding = { readonly kind: FindingKind; readonly sequence: number; readonly says: string };

export const finding = (kind: FindingKind, sequence: number, detail: string): Finding => ({
  kind,
  sequence,
  says: `${kind} at ${sequence}: ${detail}`,
});

/** In which fields two events differ, and where in them, for example `payload (byte 17: 0x41, 0x43)`. */
export function differencesOf(archived: StoredMessage, streamed: StoredMessage): string {
  const fields = [
    ['subject', Buffer.from(archived.subject), Buffer.from(streamed.subject)],
    ['headers', archived.headers, streamed.headers],
    ['payload', archived.payload, streamed.payload],
  ] as const;
  const differing = fields.flatMap(([name, left, right]) => {
    const at = firstDifference(left, right);
    return at === undefined ? [] : [`${name} (byte ${at}: ${hex(left[at])}, ${hex(right[at])})`];
  });
  if (archived.recordedAtNanos !== streamed.recordedAtNanos) {
    differing.push(`time (${archived.recordedAtNanos}, ${streamed.recordedAtNanos})`);
  }
  return differing.join(', ');
}

function firstDifference(left: Uint8Array, right: Uint8Array): number | undefined {
  if (Buffer.compare(left, right) === 0) return undefined;
  const shorter = Math.min(left.length, right.length);
  for (let index = 0; index < shorter; index++) if (left[index] !== right[index]) return index;
  return shorter;
}

const hex = (byte: number | undefined) =>
  byte === undefined ? 'none' : `0x${byte.toString(16).padStart(2, '0')}`;
