/**
 * How much each term counts, as data: the version is part of every decision, so that it can be replayed with
 * the weights of its day. The score of a node is
 * `policy`·(score of the allocation policy) − `price`·(price ÷ reference price) + `reliability`·(0 to 1)
 * + `performance`·(1 is the reference) + `locality`·(share of the datasets held) − `watts`·(added kilowatts)
 * − `spread`·(siblings hosted by the node's operator).
 */
export type TermWeights = {
  readonly version: number;
  readonly policy: number;
  readonly price: number;
  readonly reliability: number;
  readonly performance: number;
  readonly locality: number;
  readonly watts: number;
  readonly spread: number;
  readonly referencePriceAtto: bigint;
};

/** The allocation policy alone decides. */
export const policyAlone: TermWeights = {
  version: 0,
  policy: 1,
  price: 0,
  reliability: 0,
  performance: 0,
  locality: 0,
  watts: 0,
  spread: 0,
  referencePriceAtto: 1n,
};

/** Names of the terms that a weight may be given to. */
export const engineTerms = [
  'policy',
  'price',
  'reliability',
  'performance',
  'locality',
  'watts',
  'spread',
] as const;

export const isTerm = (name: string): name is (typeof engineTerms)[number] =>
  (engineTerms as readonly string[]).includes(name);

/** Throws a `RangeError` that names the weight: a negative one would turn a term's meaning round. */
export function assertWeights(weights: TermWeights): void {
  for (const term of engineTerms) {
    if (!Number.isFinite(weights[term]) || weights[term] < 0)
      throw new RangeError(`the weight of ${term} is ${weights[term]}, which is not a number from 0 up`);
  }
  if (weights.referencePriceAtto <= 0n) throw new RangeError('the reference price is not above 0');
}
