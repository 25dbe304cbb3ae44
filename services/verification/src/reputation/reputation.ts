import type { Reason, Standing } from '../policies/policy.js';

export type ReputationFigures = {
  /** Points for a result that others confirmed, in thousandths. */
  readonly confirmedMilli: number;
  /** Points that a refuted result takes, in thousandths. */
  readonly refutedMilli: number;
  /** With each judged result, one part in so many of every earlier point is lost. */
  readonly decayDivisor: number;
  /** An accusation counts as a strike only when so many voices agree against it. */
  readonly accusersMin: number;
  /** So many strikes ... */
  readonly strikesMax: number;
  /** ... among so many judged results expel a node from the class, and are evidence for a penalty. */
  readonly strikeWindow: number;
};

export const reputationFigures: ReputationFigures = {
  confirmedMilli: 1_000,
  refutedMilli: -50_000,
  decayDivisor: 256,
  accusersMin: 3,
  strikesMax: 2,
  strikeWindow: 1_000,
};

/** How a result of the node was judged; `event` is where to read it: the verdict's id or position. */
export type Judged = { readonly event: string } & (
  | { readonly outcome: 'confirmed' }
  | { readonly outcome: 'refuted'; readonly why: Reason; readonly accusers: number }
);

/** Points as they are left of one event, in thousandths. */
export type Points = { readonly event: string; readonly given: number; readonly left: number };

/**
 * The record of one node in one class of programs. What happens in one class counts in no other: a node whose GPU is
 * broken may still be a good CPU.
 */
export type Reputation = {
  /** Results in a row that others confirmed; BOINC's N. */
  readonly validInRow: number;
  /** Of a class how many of its results were judged with others. */
  readonly judged: number;
  /** The latest, newest last. */
  readonly points: readonly Points[];
  /** What is left of all events before those. */
  readonly olderMilli: number;
  /** The verdicts that count as strikes, with the number of the judged result. */
  readonly strikes: readonly { readonly event: string; readonly at: number }[];
  readonly isExpelled: boolean;
};

export const noReputation: Reputation = {
  validInRow: 0,
  judged: 0,
  points: [],
  olderMilli: 0,
  strikes: [],
  isExpelled: false,
};

/** How many events a score names one by one. */
const POINTS_KEPT = 32;

/** Reasons that say something about the node's honesty; the others say that it was not to be counted. */
const accusations: ReadonlySet<Reason> = new Set<Reason>([
  'ClaimIsOutvoted',
  'ClaimIsOutOfBounds',
  'ClaimIsNotFinite',
  'ShapeDiffers',
  'ActivationsDiffer',
  'CommitmentIsMalformed',
  'StepIsWrong',
  'NodeIsSilent',
  'RootIsForged',
]);

export function judged(record: Reputation, what: Judged, figures: ReputationFigures): Reputation {
  if (what.outcome === 'refuted' && !accusations.has(what.why)) return record;
  const count = record.judged + 1;
  const isRefuted = what.outcome === 'refuted';
  const given = isRefuted ? figures.refutedMilli : figures.confirmedMilli;
  const isStrike = isRefuted && what.accusers >= figures.accusersMin;
  const recent = record.strikes.filter(({ at }) => count - at < figures.strikeWindow);
  const strikes = isStrike ? [...recent, { event: what.event, at: count }] : recent;
  return {
    validInRow: isRefuted ? 0 : record.validInRow + 1,
    judged: count,
    ...withPoints(record, { event: what.event, given, left: given }, figures.decayDivisor),
    strikes,
    isExpelled: record.isExpelled || strikes.length >= figures.strikesMax,
  };
}

function withPoints(
  { points, olderMilli }: Reputation,
  newest: Points,
  divisor: number,
): Pick<Reputation, 'points' | 'olderMilli'> {
  const decayed = points.map(entry => ({ ...entry, left: entry.left - lostOf(entry.left, divisor) }));
  let older = olderMilli - lostOf(olderMilli, divisor);
  if (decayed.length === POINTS_KEPT) older += decayed.shift()!.left;
  return { points: [...decayed, newest], olderMilli: older };
}

/** Rounded away from zero, so that the last point goes too. */
const lostOf = (left: number, divisor: number): number =>
  Math.sign(left) * Math.ceil(Math.abs(left) / divisor);

/** The sum of what is left of every event, in thousandths. */
export const scoreMilli = ({ points, olderMilli }: Reputation): number =>
  points.reduce((sum, { left }) => sum + left, olderMilli);

/** What policies may know of the node. */
export const standingOf = (record: Reputation, isAttested: boolean): Standing => ({
  validInRow: record.validInRow,
  score: Math.max(0, Math.trunc(scoreMilli(record) / 1_000)),
  isAttested,
});

export type Explanation = {
  readonly scoreMilli: number;
  /** They and `olderMilli` add up to the score. */
  readonly points: readonly Points[];
  readonly olderMilli: number;
  /** What a penalty would be founded on. */
  readonly strikes: readonly string[];
  /** What one more strike would mean, before it strikes. */
  readonly strikesLeft: number;
};

/** Every point of a score, by the event that it came from. */
export const explain = (record: Reputation, { strikesMax }: ReputationFigures): Explanation => ({
  scoreMilli: scoreMilli(record),
  points: record.points,
  olderMilli: record.olderMilli,
  strikes: record.strikes.map(({ event }) => event),
  strikesLeft: Math.max(0, strikesMax - record.strikes.length),
});
