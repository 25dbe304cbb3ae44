/** Which of a job's numbered charges were made. They mostly come in order, so that few are remembered one by one. */
export type NumberedCharges = {
  /** All up to this one. */
  readonly upTo: number;
  /** And these, which overtook others. */
  readonly beyond: ReadonlySet<number>;
};

export const noCharges: NumberedCharges = { upTo: 0, beyond: new Set() };

export const isCharged = ({ upTo, beyond }: NumberedCharges, number: number): boolean =>
  number <= upTo || beyond.has(number);

export const chargesMade = ({ upTo, beyond }: NumberedCharges): number => upTo + beyond.size;

/** @param number it was not charged before */
export function withCharge({ upTo, beyond }: NumberedCharges, number: number): NumberedCharges {
  const rest = new Set(beyond).add(number);
  let reached = upTo;
  while (rest.delete(reached + 1)) reached += 1;
  return { upTo: reached, beyond: rest };
}
