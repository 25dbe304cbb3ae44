import { readNetwork } from './network';
import { readShard } from './shard';
import { fail, programArguments, writeOutput } from '../../wasi/wasi';

/** Arguments: epochs, learning rate, seed of the order. Reads `weights` and `shard`, writes `weights`. */
const args = programArguments();
if (args.length != 3) fail('train needs epochs, learning rate and seed');
const epochs = <i32>parseInt(args[0]);
const learningRate = <f32>parseFloat(args[1]);
if (epochs < 1 || !(learningRate > 0)) fail('epochs and learning rate must be positive');
let random: u32 = (<u32>parseInt(args[2])) | 1;

const network = readNetwork();
const shard = readShard();
if (!shard.isLabelled) fail('the shard has no labels');

const order = new StaticArray<i32>(shard.count);
for (let i = 0; i < order.length; i++) order[i] = i;
for (let epoch = 0; epoch < epochs; epoch++) {
  shuffle();
  for (let i = 0; i < order.length; i++) {
    network.learn(shard.image(order[i]), shard.label(order[i]), learningRate);
  }
}
writeOutput('weights', network.start, network.sizeBytes);

/** Fisher and Yates, with Marsaglia's xorshift32. */
function shuffle(): void {
  for (let last = order.length - 1; last > 0; last--) {
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    const other = <i32>(random % <u32>(last + 1));
    const kept = order[last];
    order[last] = order[other];
    order[other] = kept;
  }
}
