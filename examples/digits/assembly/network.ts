import { PIXELS } from './shard';
import { fail, readInput } from '../../wasi/wasi';

export const CLASSES: i32 = 10;
const LANES: i32 = 4;

/**
 * Pixels, one hidden layer with ReLU, ten classes with softmax. The weights lie in one block of float32:
 * pixel to hidden (a row for each pixel), hidden biases, hidden to class (a row for each hidden unit), class biases.
 * Only plain float32 operations in a fixed order are used, so that every machine computes the same bits.
 */
export class Network {
  readonly hidden: i32;
  private readonly bytes: Uint8Array;
  private readonly activations: StaticArray<f32>;
  private readonly hiddenErrors: StaticArray<f32>;
  private readonly scores: StaticArray<f32>;

  constructor(bytes: Uint8Array) {
    const hidden = (bytes.length / 4 - CLASSES) / (PIXELS + 1 + CLASSES);
    const expected = 4 * (hidden * (PIXELS + 1 + CLASSES) + CLASSES);
    if (hidden < LANES || hidden % LANES != 0 || bytes.length != expected)
      fail('the weights have a wrong size');
    this.bytes = bytes;
    this.hidden = hidden;
    this.activations = new StaticArray<f32>(hidden);
    this.hiddenErrors = new StaticArray<f32>(hidden);
    this.scores = new StaticArray<f32>(CLASSES);
  }

  get start(): usize {
    return this.bytes.dataStart;
  }

  get sizeBytes(): i32 {
    return this.bytes.length;
  }

  private get hiddenBiases(): usize {
    return this.start + 4 * PIXELS * this.hidden;
  }

  private get classWeights(): usize {
    return this.hiddenBiases + 4 * this.hidden;
  }

  private get classBiases(): usize {
    return this.classWeights + 4 * this.hidden * CLASSES;
  }

  /** The most likely digit; the lower one where two are equally likely. */
  predict(image: usize): i32 {
    this.forward(image);
    let best = 0;
    for (let digit = 1; digit < CLASSES; digit++) {
      if (unchecked(this.scores[digit] > this.scores[best])) best = digit;
    }
    return best;
  }

  /** One step of stochastic gradient descent on the cross-entropy of one image. */
  learn(image: usize, label: i32, learningRate: f32): void {
    this.forward(image);
    this.toErrors(label);
    this.stepClasses(learningRate);
    this.stepHidden(image, learningRate);
  }

  private forward(image: usize): void {
    const rowBytes = 4 * this.hidden;
    const activations = changetype<usize>(this.activations);
    memory.copy(activations, this.hiddenBiases, rowBytes);
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const level = load<u8>(image + pixel);
      if (level != 0) addScaled(activations, this.start + pixel * rowBytes, <f32>level / 255, rowBytes);
    }
    for (let digit = 0; digit < CLASSES; digit++) {
      unchecked((this.scores[digit] = load<f32>(this.classBiases + 4 * digit)));
    }
    for (let unit = 0; unit < this.hidden; unit++) {
      const activation = max<f32>(unchecked(this.activations[unit]), 0);
      unchecked((this.activations[unit] = activation));
      const row = this.classWeights + 4 * CLASSES * unit;
      for (let digit = 0; digit < CLASSES; digit++) {
        unchecked((this.scores[digit] += activation * load<f32>(row + 4 * digit)));
      }
    }
  }

  /** Turns the scores into the gradient of the loss: softmax less the wanted answer. */
  private toErrors(label: i32): void {
    let highest = unchecked(this.scores[0]);
    for (let digit = 1; digit < CLASSES; digit++) highest = max<f32>(highest, unchecked(this.scores[digit]));
    let sum: f32 = 0;
    for (let digit = 0; digit < CLASSES; digit++) {
      const likelihood = Mathf.exp(unchecked(this.scores[digit]) - highest);
      unchecked((this.scores[digit] = likelihood));
      sum += likelihood;
    }
    for (let digit = 0; digit < CLASSES; digit++) unchecked((this.scores[digit] /= sum));
    unchecked((this.scores[label] -= 1));
  }

  private stepClasses(learningRate: f32): void {
    for (let unit = 0; unit < this.hidden; unit++) {
      const activation = unchecked(this.activations[unit]);
      const row = this.classWeights + 4 * CLASSES * unit;
      let error: f32 = 0;
      for (let digit = 0; digit < CLASSES; digit++) {
        const weight = load<f32>(row + 4 * digit);
        error += weight * unchecked(this.scores[digit]);
        store<f32>(row + 4 * digit, weight - learningRate * activation * unchecked(this.scores[digit]));
      }
      unchecked((this.hiddenErrors[unit] = activation > 0 ? error : 0));
    }
    for (let digit = 0; digit < CLASSES; digit++) {
      const at = this.classBiases + 4 * digit;
      store<f32>(at, load<f32>(at) - learningRate * unchecked(this.scores[digit]));
    }
  }

  private stepHidden(image: usize, learningRate: f32): void {
    const rowBytes = 4 * this.hidden;
    const errors = changetype<usize>(this.hiddenErrors);
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const level = load<u8>(image + pixel);
      if (level == 0) continue;
      addScaled(this.start + pixel * rowBytes, errors, (-learningRate * <f32>level) / 255, rowBytes);
    }
    addScaled(this.hiddenBiases, errors, -learningRate, rowBytes);
  }
}

export function readNetwork(): Network {
  return new Network(readInput('weights'));
}

/** `target += factor * source`, four lanes at a time, each lane rounded as a single operation would be. */
function addScaled(target: usize, source: usize, factor: f32, sizeBytes: i32): void {
  const factors = f32x4.splat(factor);
  for (let at: i32 = 0; at < sizeBytes; at += 16) {
    const sum = f32x4.add(v128.load(target + at), f32x4.mul(v128.load(source + at), factors));
    v128.store(target + at, sum);
  }
}
