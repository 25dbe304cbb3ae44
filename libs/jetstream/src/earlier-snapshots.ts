/** Positions of the stream between two states that may be kept; about as often as one is written down at all. */
const SPACING_POSITIONS = 1_024;
/** With two states each: they reach back over at least 2^21 positions. */
const LEVELS = 12;

/** Of one aggregate, beside its last state. */
export const MAX_EARLIER_SNAPSHOTS = 2 * LEVELS;

/**
 * Which earlier state a new one replaces; undefined when it comes too soon after the last one to be kept beside it.
 *
 * Positions are marked at every multiple of the spacing. The level of a mark is how often its number can be halved, and
 * of each level the states at the last two marks are kept. So they lie the wider apart the older they are: from one
 * that is n positions old, the next older one is at most about 3 n away.
 * @param before position of the state that was written down last, 0 when there was none
 */
export function slotOf(before: number, after: number): number | undefined {
  for (let level = LEVELS - 1; level >= 0; level -= 1) {
    const distance = SPACING_POSITIONS * 2 ** level;
    const mark = Math.floor(after / distance);
    if (mark > Math.floor(before / distance)) return 2 * level + ((mark >> 1) & 1);
  }
  return undefined;
}
