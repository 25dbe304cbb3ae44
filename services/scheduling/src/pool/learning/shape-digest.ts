import { derivedId } from '@astro/event-sourcing/ids';
import type { Shape } from '@astro/matching/engine/shape';

const digests = new WeakMap<Shape, string>();

/** The same for the same hardware in every pool and every process. */
export function digestOf(shape: Shape): string {
  const known = digests.get(shape);
  if (known) return known;
  const { cpuMillis, memoryMib, cpuPower, groups } = shape;
  const digest = derivedId('shape', JSON.stringify([cpuMillis, memoryMib, cpuPower, groups]));
  digests.set(shape, digest);
  return digest;
}
