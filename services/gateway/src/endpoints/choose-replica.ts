/** A replica as whoever chooses sees it. */
export type Candidate = { readonly leaseId: string; readonly inFlight: number };

/**
 * The power of two choices: of two that are drawn, the one with fewer requests in flight. Nearly as even as the best of
 * all, and several gateways that know the same do not all choose the same.
 * @param random from 0 to below 1
 */
export function chooseReplica<Replica extends Candidate>(
  candidates: readonly Replica[],
  random: () => number,
): Replica | undefined {
  if (candidates.length < 2) return candidates[0];
  const first = Math.floor(random() * candidates.length);
  const other = Math.floor(random() * (candidates.length - 1));
  const [one, two] = [candidates[first]!, candidates[other < first ? other : other + 1]!];
  return two.inFlight < one.inFlight ? two : one;
}
