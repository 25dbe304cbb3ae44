/** How the platform of a run is set up: follows from the seed alone, as the plan does. */
export type Settings = {
  /** After this long, the bus hands out again what a lane has taken and not acknowledged. */
  readonly ackWaitMs: number;
};

const usualAckWaitMs = 30_000;
/** Short pauses and partitions outlast it, so that consumers come back as zombies. */
const shortAckWaitMs = 6_000;
const usualEvery = 4;

export const settingsOf = (seed: number): Settings => ({
  ackWaitMs: seed % usualEvery === 1 ? usualAckWaitMs : shortAckWaitMs,
});
