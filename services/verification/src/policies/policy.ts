/** What is known of a node before it is asked, in the class of programs that it is asked for. */
export type Standing = {
  /** Results in a row that others confirmed; BOINC's N. */
  readonly validInRow: number;
  /** Points for confirmed results, which decay. */
  readonly score: number;
  /** Its evidence of what it runs was accepted and counts now. */
  readonly isAttested: boolean;
};

export const unknownNode: Standing = { validInRow: 0, score: 0, isAttested: false };

/** What one node says about one task. */
export type Report<Claim = string> = {
  readonly nodeId: string;
  /** Its operator, or the group of operators that were found to lie alike: they count once. */
  readonly voice: string;
  readonly claim: Claim;
  readonly standing: Standing;
};

/** What a policy must be given beside the claims themselves. */
export type Need = 'standing' | 'draw' | 'commitment' | 'checkpoints' | 'referee' | 'attestation';

/** Why somebody is refuted, more is wanted, or nothing can be said. Stable names, published with the verdict. */
export type Reason =
  | 'ClaimIsOutvoted'
  | 'ClaimsDiffer'
  | 'TooFewAgree'
  | 'ClaimIsOutOfBounds'
  | 'ClaimIsNotFinite'
  | 'ShapeDiffers'
  | 'ActivationsDiffer'
  | 'CommitmentIsMalformed'
  | 'NodeIsNotAttested'
  | 'StepIsWrong'
  | 'NodeIsSilent'
  | 'RootIsForged'
  | 'ReplicasAreExhausted';

/** A report that was found wrong; `index` is its place in what was judged. */
export type Culprit = { readonly index: number; readonly why: Reason };

export type Judgement =
  /** Reports that were asked for are still out. */
  | { readonly status: 'waiting' }
  | { readonly status: 'accepted'; readonly agreed: readonly number[]; readonly culprits: readonly Culprit[] }
  | { readonly status: 'wanting'; readonly replicas: number; readonly why: Reason }
  | { readonly status: 'inconclusive'; readonly why: Reason };

export type Asked = {
  /** How many reports have been asked for so far. */
  readonly asked: number;
  /** The most that may ever be asked for. */
  readonly maxReplicas: number;
};

/** The figures that a policy decides by, as they are published and recorded with each verdict. */
export type Thresholds = Readonly<Record<string, number>>;

/** What every policy tells of itself, so that a verdict can be judged again by the same rules. */
export type Published = {
  readonly name: string;
  /** Grows with every change of the rules; the figures may change without. */
  readonly version: number;
  readonly needs: readonly Need[];
  readonly thresholds: Thresholds;
};

/**
 * The rules by which reports become a verdict. Pure, and only of integers where two judges could round differently.
 */
export type VerificationPolicy<Claim = string> = Published & {
  /**
   * How many nodes are asked at first.
   * @param standing of the node that would be the first
   * @param draw which that node could not foresee when it was asked
   */
  replicasAtFirst(standing: Standing, draw: Draw): number;
  judge(reports: readonly Report<Claim>[], asked: Asked): Judgement;
};

/** A whole number from 0 to 999,999: what is drawn below `n` happens in `n` of a million cases. */
export type Draw = number;

export const MILLION = 1_000_000;

/** As verdicts name it, for example `quorum/1`. */
export const titleOf = ({ name, version }: Pick<Published, 'name' | 'version'>): string =>
  `${name}/${version}`;
