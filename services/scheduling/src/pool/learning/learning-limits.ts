/** What is learned from, and so how large a policy is, has limits: the linear programs grow with them. */
export const learningLimits = {
  /** Distinct demands that are counted in the mix; the one that counts least gives way to a new one. */
  demandsCounted: 256,
  /** After so many tasks one counts half as much as a new one. */
  halfLifeArrivals: 20_000,
  /** The most frequent demands are learned from. */
  demands: 128,
  /** The hardware that most nodes have is learned from. */
  shapes: 128,
  scenarios: 64,
  /** Of a demand, and as many characters in each of its texts. */
  models: 64,
  text: 256,
} as const;

/** The belief that a mix begins with counts as fifty (`priorMix`): a pool learns when it has seen half as many. */
export const arrivalsMin = 75;
