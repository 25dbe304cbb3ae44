import { PRIME, product, residues, timesColumn, WIDTH_MAX, type Matrix } from './field.js';

/** A proof that a node has the throughput that it offers: the product of two matrices that follow from a seed. */
export type Challenge = {
  /** 32 hex digits that nobody could know before. */
  readonly seed: string;
  /** Rows and columns of each matrix, at most 2,048. */
  readonly size: number;
  readonly answerWithinMs: number;
};

export type ChallengeVerdict =
  | { readonly status: 'passed'; readonly operationsPerSecond: number }
  | { readonly status: 'failed'; readonly why: 'AnswerIsLate' | 'AnswerIsMalformed' | 'ProductIsWrong' };

const SEED = /^[0-9a-f]{32}$/;
const SIZE_MIN = 2;
const A = 1;
const B = 2;
const COLUMNS = 3;

/** What is wrong with a challenge; nothing when it can be put to a node. */
export function flawOfChallenge({ seed, size, answerWithinMs }: Challenge): string | undefined {
  if (!SEED.test(seed)) return 'seed: must be 32 hex digits';
  if (!Number.isInteger(size) || size < SIZE_MIN || size > WIDTH_MAX)
    return `size: ${SIZE_MIN} to ${WIDTH_MAX}`;
  return Number.isInteger(answerWithinMs) && answerWithinMs > 0 ? undefined : 'answerWithinMs: at least 1';
}

const matricesOf = ({ seed, size }: Challenge): readonly [Matrix, Matrix] => [
  residues(seed, A, size * size),
  residues(seed, B, size * size),
];

/** The work, as a node does it. */
export function answerTo(challenge: Challenge): Matrix {
  const [a, b] = matricesOf(challenge);
  return product(a, b, challenge.size);
}

/** Multiplications and additions that the work takes. */
export const operationsOf = ({ size }: Challenge): number => 2 * size ** 3;

/**
 * Freivalds' check: A(Br) = Cr for a random column r takes three products of a matrix and a column instead of one of
 * two matrices. A wrong C passes a round with a probability of at most one in the prime; after two rounds that is below
 * 2.3e-13. The columns are drawn after the node has committed to C: whoever knows them beforehand can answer wrongly.
 * @param draw 32 hex digits, drawn when C was committed
 * @param tookMs from putting the challenge to the commitment, by the clock of who puts it
 */
export function check(
  challenge: Challenge,
  answer: Matrix,
  { draw, tookMs, rounds = 2 }: { readonly draw: string; readonly tookMs: number; readonly rounds?: number },
): ChallengeVerdict {
  const { size, answerWithinMs } = challenge;
  if (tookMs > answerWithinMs) return { status: 'failed', why: 'AnswerIsLate' };
  if (answer.length !== size * size || !areResidues(answer))
    return { status: 'failed', why: 'AnswerIsMalformed' };
  const [a, b] = matricesOf(challenge);
  const drawn = residues(draw, COLUMNS, rounds * size);
  for (let round = 0; round < rounds; round++) {
    const column = drawn.subarray(round * size, (round + 1) * size);
    const claimed = timesColumn(answer, size, column);
    const right = timesColumn(a, size, timesColumn(b, size, column));
    if (!claimed.every((value, row) => value === right[row]))
      return { status: 'failed', why: 'ProductIsWrong' };
  }
  return { status: 'passed', operationsPerSecond: (operationsOf(challenge) * 1_000) / Math.max(1, tookMs) };
}

/** The most that a wrong answer can hope for. */
export const errorAtMost = (rounds: number): number => PRIME ** -rounds;

function areResidues(values: Matrix): boolean {
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    // NaN is not above zero either.
    if (!(value >= 0 && value < PRIME) || value !== Math.floor(value)) return false;
  }
  return true;
}
