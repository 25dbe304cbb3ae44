import type { MirrorEvent } from '@astro/messages/chain';

/** A block that was looked at. */
export type Seen = {
  readonly number: number;
  readonly hash: string;
  /** Whether it stands in the record as an event, so that it has to be taken back with its block. */
  readonly isRecorded: boolean;
};

/** How much of the chain is mirrored: a value, made from the record and moved on by what is appended to it. */
export type Mirror = {
  /** Of the last event of the record. */
  readonly position: number;
  readonly finalNumber: number;
  /** Ascending. The first is final, the last is where the looking goes on. */
  readonly seen: readonly [Seen, ...Seen[]];
};

export const tipOf = ({ seen }: Mirror): Seen => seen.at(-1)!;

/** The mirror before anything was recorded. @param before the block after which the deployment begins; final */
export const emptyMirror = (before: { readonly number: number; readonly hash: string }): Mirror => ({
  position: 0,
  finalNumber: before.number,
  seen: [{ ...before, isRecorded: false }],
});

/** The mirror after one more event of the record. */
export function evolve(mirror: Mirror, { type, data }: MirrorEvent, position: number): Mirror {
  switch (type) {
    case 'BlockIndexed':
      return lookedAt(
        { ...mirror, position },
        [{ number: data.number, hash: data.hash, isRecorded: true }],
        data.final ? data.number : mirror.finalNumber,
      );
    case 'BlockReverted':
      return { ...mirror, position, seen: below(mirror, data.number) };
    case 'HeadFollowed': {
      const isKnown = mirror.seen.some(({ hash }) => hash === data.hash);
      const marker = isKnown ? [] : [{ number: data.number, hash: data.hash, isRecorded: false }];
      const seen = below(mirror, data.number + 1);
      return lookedAt({ ...mirror, position, seen }, marker, data.finalNumber);
    }
  }
}

/** The mirror after looking at more blocks, in their order, without the ones that nothing can take back any more. */
export function lookedAt(mirror: Mirror, blocks: readonly Seen[], finalNumber: number): Mirror {
  const seen = [...mirror.seen, ...blocks];
  const final = Math.max(mirror.finalNumber, finalNumber);
  let first = 0;
  while (first + 1 < seen.length && seen[first + 1]!.number <= final) first += 1;
  return { ...mirror, finalNumber: final, seen: seen.slice(first) as [Seen, ...Seen[]] };
}

/** The mirror as it was after `ancestor`, which it has seen. */
export const rewound = (mirror: Mirror, ancestor: Seen): Mirror => ({
  ...mirror,
  seen: below(mirror, ancestor.number + 1),
});

/** What has to be taken back when the chain goes on from `ancestor`, the last block first. */
export const recordedAfter = ({ seen }: Mirror, ancestor: Seen): readonly Seen[] =>
  seen.filter(({ number, isRecorded }) => isRecorded && number > ancestor.number).reverse();

function below({ seen }: Mirror, number: number): readonly [Seen, ...Seen[]] {
  const kept = seen.filter(block => block.number < number);
  if (kept.length === 0) throw new Error(`block ${number} is taken back, and nothing before it is known`);
  return kept as [Seen, ...Seen[]];
}
