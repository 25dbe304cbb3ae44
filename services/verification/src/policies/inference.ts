import type { Reason, VerificationPolicy } from './policy.js';
import { wanting } from './tally.js';

/** How far the activations of an honest node may be from those of who checks. */
export type ActivationFigures = {
  /** How many of the largest activations of a chunk are committed to. */
  readonly topK: number;
  /** Tokens that one commitment is over. */
  readonly chunkTokens: number;
  /** So many of them must have the checker's exponent. */
  readonly exponentsMin: number;
  /** In units of the last place of a mantissa, over those whose exponents match. */
  readonly mantissaErrorMeanMax: number;
  readonly mantissaErrorMedianMax: number;
};

export type NumberFormat = 'bf16' | 'fp32';

/**
 * TOPLOC's figures (arXiv 2501.16007): at most 38 of 128 exponents may differ, the mean error of the mantissas may be
 * 10 and the median 8 with bf16, which has 7 bits of mantissa. A model or a class of hardware that was measured has
 * figures of its own under `model@class`; the others have those of their number format.
 */
export const activationFigures: Readonly<Record<string, ActivationFigures>> = {
  bf16: { topK: 128, chunkTokens: 32, exponentsMin: 90, mantissaErrorMeanMax: 10, mantissaErrorMedianMax: 8 },
};

/** @returns nothing where no figures are published: then nothing can be judged */
export const figuresFor = (
  model: string,
  hardwareClass: string,
  format: NumberFormat,
): ActivationFigures | undefined =>
  activationFigures[`${model}@${hardwareClass}`] ?? activationFigures[format];

/** One activation: its place in the chunk, and its bits as bf16. */
export type Activation = { readonly place: number; readonly bits: number };

/** The largest activations of one chunk, which the node committed to with its output. */
export type ChunkCommitment = readonly Activation[];

/** What the checker's own run of the same tokens, as one prefill, has at a place; nothing where it is not computed. */
export type Recomputed = (chunk: number, place: number) => number | undefined;

const EXPONENT_BITS = 8;
const MANTISSA_BITS = 7;
const BITS_MAX = 0xffff;
/** Sign and exponent: a flipped sign is no rounding. */
const headOf = (bits: number): number => bits >>> MANTISSA_BITS;
const mantissaOf = (bits: number): number => bits & ((1 << MANTISSA_BITS) - 1);
const isFinite = (bits: number): boolean =>
  ((bits >>> MANTISSA_BITS) & ((1 << EXPONENT_BITS) - 1)) !== (1 << EXPONENT_BITS) - 1;

export type ChunkMatch = {
  readonly exponents: number;
  /** Sums and not quotients, so that every judge has the same. */
  readonly mantissaErrorSum: number;
  readonly mantissaErrorMedian: number;
};

/** @returns why it is no commitment, or how near it is to what was computed again */
export function matchOf(
  chunk: number,
  commitment: ChunkCommitment,
  recomputed: Recomputed,
  { topK }: ActivationFigures,
): ChunkMatch | Reason {
  const places = new Set(commitment.map(({ place }) => place));
  if (commitment.length !== topK || places.size !== topK) return 'CommitmentIsMalformed';
  const errors: number[] = [];
  for (const { place, bits } of commitment) {
    if (!Number.isInteger(bits) || bits < 0 || bits > BITS_MAX || !isFinite(bits)) return 'ClaimIsNotFinite';
    const again = recomputed(chunk, place);
    if (again === undefined || headOf(again) !== headOf(bits)) continue;
    errors.push(Math.abs(mantissaOf(again) - mantissaOf(bits)));
  }
  errors.sort((a, b) => a - b);
  return {
    exponents: errors.length,
    mantissaErrorSum: errors.reduce((sum, error) => sum + error, 0),
    // The upper of the two in the middle: an odd half never decides.
    mantissaErrorMedian: errors[errors.length >>> 1] ?? Infinity,
  };
}

const isNear = (match: ChunkMatch, figures: ActivationFigures): boolean =>
  match.exponents >= figures.exponentsMin &&
  match.mantissaErrorSum <= figures.mantissaErrorMeanMax * match.exponents &&
  match.mantissaErrorMedian <= figures.mantissaErrorMedianMax;

/** What a node hands in beside its output. */
export type InferenceClaim = {
  readonly outputTokens: number;
  readonly chunks: readonly ChunkCommitment[];
};

/**
 * TOPLOC-like: with its output a node commits to the largest activations of every chunk of tokens, and who checks runs
 * the same tokens again as one prefill, which costs a fraction. Every chunk must be near: a model that is swapped in
 * late shows in the last one. The commitment is the activations themselves and not their polynomial, four bytes for
 * each instead of two.
 * @param figures of the model and the class of hardware
 * @param recomputed by who checks; absent while nobody has
 */
export const inference = (
  figures: ActivationFigures,
  recomputed: Recomputed | undefined,
): VerificationPolicy<InferenceClaim> => ({
  name: 'inference',
  version: 1,
  needs: ['commitment', 'referee'],
  thresholds: figures,
  replicasAtFirst: () => 1,
  judge(reports, terms) {
    if (!recomputed || reports.length === 0) return { status: 'waiting' };
    const flaws = reports.map(({ claim }) => flawOf(claim, recomputed, figures));
    const agreed = [...flaws.keys()].filter(index => flaws[index] === undefined);
    if (agreed.length === 0) return wanting(reports.length, 'TooFewAgree', 1, terms);
    const culprits = flaws.flatMap((why, index) => (why ? [{ index, why }] : []));
    return { status: 'accepted', agreed, culprits };
  },
});

function flawOf(
  { outputTokens, chunks }: InferenceClaim,
  recomputed: Recomputed,
  figures: ActivationFigures,
): Reason | undefined {
  if (chunks.length !== Math.ceil(outputTokens / figures.chunkTokens)) return 'CommitmentIsMalformed';
  for (const [chunk, commitment] of chunks.entries()) {
    const match = matchOf(chunk, commitment, recomputed, figures);
    if (typeof match === 'string') return match;
    if (!isNear(match, figures)) return 'ActivationsDiffer';
  }
  return undefined;
}
