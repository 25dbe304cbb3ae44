import type { Culprit, Judgement, Reason, Report, VerificationPolicy } from './policy.js';
import { wanting } from './tally.js';

export type ToleranceFigures = {
  /** How many voices must be within the bounds of the claim that is accepted, its own included. */
  readonly quorum: number;
  /** Two numbers may lie so far apart, ... */
  readonly absolute: number;
  /** ... and in addition this part of the larger of the two. */
  readonly relative: number;
};

/** Numbers in the order in which the program wrote them. */
export type Numbers = Float64Array;

/** Whether two numbers count as the same. Symmetric. NaN and infinities are near nothing, themselves included. */
export const isWithin = (one: number, other: number, { absolute, relative }: Bounds): boolean =>
  Number.isFinite(one) &&
  Number.isFinite(other) &&
  Math.abs(one - other) <= absolute + relative * Math.max(Math.abs(one), Math.abs(other));

type Bounds = Pick<ToleranceFigures, 'absolute' | 'relative'>;

const areWithin = (one: Numbers, other: Numbers, bounds: Bounds): boolean =>
  one.length === other.length && one.every((value, index) => isWithin(value, other[index]!, bounds));

/**
 * For hardware that is not bit-exact: outputs are compared number by number. Nearness does not carry over from pair
 * to pair, so that one report is the centre, the one with most voices within its bounds, the earlier node id where
 * that is equal; its own numbers are the result. Who is outside of them is not paid, and only who is further than
 * twice the bounds is refuted, because two honest nodes may lie on either side of a third. A claim with a number
 * that is not finite takes no part: with it, everything would be near.
 */
export const tolerance = (figures: ToleranceFigures): VerificationPolicy<Numbers> => ({
  name: 'tolerance',
  version: 1,
  needs: [],
  thresholds: figures,
  replicasAtFirst: () => figures.quorum,
  judge(reports, terms): Judgement {
    const sound = [...reports.keys()].filter(index => reports[index]!.claim.every(Number.isFinite));
    const circles = sound.map(centre => circleOf(reports, sound, centre, figures));
    const best = circles.reduce<Circle | undefined>((best, circle) => nearer(circle, best), undefined);
    if (!best || best.voices < figures.quorum)
      return wanting(reports.length, sound.length === 1 ? 'TooFewAgree' : 'ClaimsDiffer', 1, terms);
    return { status: 'accepted', agreed: best.members, culprits: culpritsOf(reports, best, figures) };
  },
});

type Circle = {
  readonly centre: number;
  readonly nodeId: string;
  /** Its centre first, then in the order in which they came. */
  readonly members: readonly number[];
  readonly voices: number;
};

function circleOf(
  reports: readonly Report<Numbers>[],
  sound: readonly number[],
  centre: number,
  figures: ToleranceFigures,
): Circle {
  const { claim, nodeId } = reports[centre]!;
  const near = sound.filter(index => index !== centre && areWithin(reports[index]!.claim, claim, figures));
  const members = [centre, ...near];
  const voices = new Set(members.map(index => reports[index]!.voice)).size;
  return { centre, nodeId, members, voices };
}

function nearer(circle: Circle, best: Circle | undefined): Circle {
  if (!best || circle.voices > best.voices) return circle;
  return circle.voices === best.voices && circle.nodeId < best.nodeId ? circle : best;
}

function culpritsOf(
  reports: readonly Report<Numbers>[],
  { centre, members }: Circle,
  { absolute, relative }: ToleranceFigures,
): readonly Culprit[] {
  const twice = { absolute: 2 * absolute, relative: 2 * relative };
  const accepted = reports[centre]!.claim;
  const culprits: Culprit[] = [];
  for (const [index, { claim }] of reports.entries()) {
    const why: Reason | undefined = !claim.every(Number.isFinite)
      ? 'ClaimIsNotFinite'
      : claim.length !== accepted.length
        ? 'ShapeDiffers'
        : areWithin(claim, accepted, twice)
          ? undefined
          : 'ClaimIsOutOfBounds';
    if (why && !members.includes(index)) culprits.push({ index, why });
  }
  return culprits;
}
