import { fail, programArguments, writeOutput } from '../../wasi/wasi';

/** The largest bound: a byte of memory for each number below it. */
const BOUND_MAX = 50_000_000;

/** Writes `count`: how many primes are below the number in the first argument, in decimal. */
const args = programArguments();
const bound = args.length == 1 ? i32(parseInt(args[0])) : 0;
if (bound < 1 || bound > BOUND_MAX) fail('the argument must be a number from 1 to ' + BOUND_MAX.toString());

const composite = new Uint8Array(bound);
let count = 0;
for (let n = 2; n < bound; n++) {
  if (composite[n]) continue;
  count++;
  for (let multiple = <i64>n * n; multiple < bound; multiple += n) composite[<i32>multiple] = 1;
}
const text = Uint8Array.wrap(String.UTF8.encode(count.toString() + '\n'));
writeOutput('count', text.dataStart, text.length);
