import { readNetwork } from './network';
import { readShard } from './shard';
import { writeOutput } from '../../wasi/wasi';

/** Reads `weights` and `shard`, writes `predictions`: one byte for each image, the digit. */
const network = readNetwork();
const shard = readShard();
const predictions = new Uint8Array(shard.count);
for (let i = 0; i < shard.count; i++) predictions[i] = <u8>network.predict(shard.image(i));
writeOutput('predictions', predictions.dataStart, predictions.length);
