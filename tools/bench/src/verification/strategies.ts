import type { Random } from '@astro/matching/engine/random';

/** How a node decides whether to do the work or to claim a result that it made up. */
export type Strategy = {
  readonly name: string;
  /** Nodes that tell each other what they claim; alone: 1. */
  readonly groupSize: number;
  lies(moment: Moment): boolean;
  /** Whether it leaves now, before its next task. */
  leaves(moment: Moment): boolean;
};

/** What a node knows when it decides. It does not know whether its result will be audited. */
export type Moment = {
  readonly random: Random;
  /** Whether it may be believed alone by now; it can count as well as the platform. */
  readonly isTrusted: boolean;
  /** How many of its group have this task too, as far as that was asked for at once. */
  readonly partners: number;
  /** Tasks that it has done so far. */
  readonly done: number;
};

const stays = () => false;

/** Sound nodes, whose hardware still errs once in a million tasks. */
export const honest: Strategy = {
  name: 'honest',
  groupSize: 1,
  lies: ({ random }) => random.below(1_000_000) === 0,
  leaves: stays,
};

/** Makes up every tenth result, from the first task on. */
export const randomly: Strategy = {
  name: 'random',
  groupSize: 1,
  lies: ({ random }) => random.below(10) === 0,
  leaves: stays,
};

/** Works until it is trusted, and makes up every tenth result then. */
export const targeted: Strategy = {
  name: 'targeted',
  groupSize: 1,
  lies: ({ random, isTrusted }) => isTrusted && random.below(10) === 0,
  leaves: stays,
};

/**
 * Those of a group make up the same. Where several of them are asked at once they lie together and never alone;
 * where they are asked one after the other, the first has to lie without knowing who comes next.
 */
export const colluding = (groupSize: number, askedAtOnce: boolean): Strategy => ({
  name: `colluding in ${groupSize}`,
  groupSize,
  lies: ({ random, partners, isTrusted }) =>
    askedAtOnce ? partners > 0 : isTrusted && random.below(10) === 0,
  leaves: stays,
});

const WORKS_UNTIL = 2_000;
const BURST = 20;

/** Works for long, makes up twenty results in a row, and is gone. */
export const lateExit: Strategy = {
  name: 'late exit',
  groupSize: 1,
  lies: ({ done }) => done >= WORKS_UNTIL,
  leaves: ({ done }) => done >= WORKS_UNTIL + BURST,
};
