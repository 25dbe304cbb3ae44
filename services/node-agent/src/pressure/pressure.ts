/** What the host has left, in MiB: memory that a program could get without swapping, and the disk of the agent. */
export type Left = { readonly memoryMib: number; readonly diskMib: number };

/** What the host runs short of. */
export type Shortage = keyof Left;

/** Room is back only where it is this share above what was asked, so that a node does not go to and fro. */
const BACK_PERCENT = 125;

/**
 * What the host runs short of, memory before disk.
 * @param least below which it is short; 0: that is not looked at
 * @param was what it was short of a moment ago
 */
export function shortageOf(left: Left, least: Left, was: Shortage | undefined): Shortage | undefined {
  const isShort = (of: Shortage) =>
    was === of ? left[of] * 100 < least[of] * BACK_PERCENT : left[of] < least[of];
  return (['memoryMib', 'diskMib'] as const).find(isShort);
}

export type Evictable = {
  readonly leaseId: string;
  readonly isInterruptible: boolean;
  /** Another node goes on from what it has kept. */
  readonly canKeep: boolean;
  readonly startedAtMs: number;
};

/**
 * Who goes next: who was told that this may happen before who was not, then who loses least, because its state is kept
 * or because it has not run for long.
 */
export const nextToEvict = (leases: readonly Evictable[]): Evictable | undefined =>
  leases.toSorted(
    (left, right) =>
      Number(right.isInterruptible) - Number(left.isInterruptible) ||
      Number(right.canKeep) - Number(left.canKeep) ||
      right.startedAtMs - left.startedAtMs,
  )[0];
