import { readFile } from 'node:fs/promises';

/** The compiled program, as `node examples/digits/build.mjs` leaves it. */
export const readProgram = (name: 'train' | 'infer'): Promise<Uint8Array> =>
  readFile(new URL(`../build/${name}.wasm`, import.meta.url));

/** How the example trains; the README says what it leads to. */
export const TRAINING = {
  hiddenUnits: 64,
  shards: 6,
  rounds: 4,
  epochsPerRound: 5,
  learningRate: 0.02,
  testImages: 2_000,
} as const;

/** Arguments of the training program for one round, counted from 0. */
export const trainingArgs = (round: number): string[] => [
  String(TRAINING.epochsPerRound),
  String(TRAINING.learningRate),
  String(round + 1),
];
