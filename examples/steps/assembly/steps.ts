import {
  fail,
  isToStop,
  keepCheckpoint,
  programArguments,
  readCheckpoint,
  tellProgress,
  writeOutput,
} from '../../wasi/wasi';

/** Rounds of a step for each number in the second argument: about a thousandth of a second. */
const ROUNDS = 500_000;

/**
 * Takes as many steps as the first argument says, each as long as the second says; keeps its state and says how far it
 * is after each.
 * Writes `steps`: the sum that all of them make, wherever a run began, and where this one did.
 */
const args = programArguments();
if (args.length != 2) fail('the arguments must be the number of steps and the length of each');
const steps = i32(parseInt(args[0]));
const rounds = i32(parseInt(args[1])) * ROUNDS;

/** The number of steps that were taken, and their sum. */
const state = new Uint32Array(2);
if (!readCheckpoint(state.dataStart, 8)) state.fill(0);
const first = state[0];
while (<i32>state[0] < steps) {
  let sum = state[1];
  for (let round = 0; round < rounds; round++) sum = sum * 1_664_525 + 1_013_904_223;
  state[1] = sum;
  state[0]++;
  keepCheckpoint(state.dataStart, 8);
  tellProgress(<f64>state[0] / <f64>steps, 'step ' + state[0].toString());
  if (isToStop() && <i32>state[0] < steps) fail('stopped after step ' + state[0].toString());
}
const text = Uint8Array.wrap(String.UTF8.encode(`${state[1]} from step ${first}\n`));
writeOutput('steps', text.dataStart, text.length);
