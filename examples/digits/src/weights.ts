import { createHash } from 'node:crypto';

const PIXELS = 784;
const CLASSES = 10;

/** Weights of the network in the form that the programs read: float32, little endian, as in the README. */
export type Weights = Uint8Array;

/**
 * Weights to start from: He's normal distribution for both layers, zero for the biases, the same for the same seed.
 * @param hiddenUnits a multiple of four
 */
export function initialWeights(hiddenUnits: number, seed: string): Weights {
  const normal = normalNumbers(seed);
  const values: number[] = [];
  const push = (count: number, deviation: number) => {
    for (let left = count; left > 0; left--) values.push(deviation * normal());
  };
  push(PIXELS * hiddenUnits, Math.sqrt(2 / PIXELS));
  push(hiddenUnits, 0);
  push(hiddenUnits * CLASSES, Math.sqrt(2 / hiddenUnits));
  push(CLASSES, 0);
  return bytesOf(values);
}

/** Federated averaging: the mean of what the shards returned, each weighted by its number of images. */
export function averageWeights(shares: readonly { weights: Weights; images: number }[]): Weights {
  const sizeBytes = shares[0]?.weights.length;
  if (sizeBytes === undefined) throw new Error('there are no weights to average');
  if (shares.some(({ weights }) => weights.length !== sizeBytes))
    throw new Error('the weights differ in size');
  const totalImages = shares.reduce((sum, { images }) => sum + images, 0);
  const sums = new Array<number>(sizeBytes / 4).fill(0);
  for (const { weights, images } of shares) {
    const view = new DataView(weights.buffer, weights.byteOffset, weights.length);
    for (let at = 0; at < sums.length; at++)
      sums[at]! += view.getFloat32(4 * at, true) * (images / totalImages);
  }
  return bytesOf(sums);
}

function bytesOf(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, at) => view.setFloat32(4 * at, value, true));
  return bytes;
}

/** Irwin and Hall's approximation: only sums of integers, so that no machine rounds it differently. */
function normalNumbers(seed: string): () => number {
  let block = 0;
  let bytes = Buffer.alloc(0);
  const uniform = () => {
    if (bytes.length === 0) bytes = createHash('sha256').update(`${seed} ${block++}`).digest();
    const value = bytes.readUInt16LE(0) / 65_536;
    bytes = bytes.subarray(2);
    return value;
  };
  return () => {
    let sum = -6;
    for (let count = 0; count < 12; count++) sum += uniform();
    return sum;
  };
}
