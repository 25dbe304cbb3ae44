import type { ClassUse } from '@astro/matching/market/posted-price';
import type { DeviceKind, Inventory } from '@astro/messages/registry';
import type { JobSpec } from '@astro/messages/scheduling';
import { heldPermille } from './needs.js';

export type PricedKind = Exclude<DeviceKind, 'unspecified'>;

/** In this order prices are recorded. */
export const pricedKinds: readonly PricedKind[] = ['cpu', 'gpu', 'npu', 'fpga'];

/** The kind that a job pays for. */
export function kindOf({ requirements: { deviceKind } }: JobSpec): PricedKind {
  if (deviceKind === 'unspecified') throw new Error('a job without a kind of device was queued');
  return deviceKind;
}

/** What a lease of the job takes of its kind: thousandths of cores, or of devices and slices. */
export const millisOf = (spec: JobSpec): number =>
  kindOf(spec) === 'cpu' ? spec.requirements.cpuMillis : Number(heldPermille(spec));

/** How much of each kind of device the pool has, and how much of it leases hold. Follows from the facts. */
export class PoolUse {
  readonly #total = zero();
  readonly #used = zero();

  of(kind: PricedKind): ClassUse {
    return { usedMillis: this.#used[kind], totalMillis: this.#total[kind] };
  }

  offer(inventory: Inventory): void {
    for (const kind of pricedKinds) this.#total[kind] += offered(inventory, kind);
  }

  withdraw(inventory: Inventory): void {
    for (const kind of pricedKinds) this.#total[kind] -= offered(inventory, kind);
  }

  hold(spec: JobSpec): void {
    this.#used[kindOf(spec)] += millisOf(spec);
    if (kindOf(spec) !== 'cpu') this.#used.cpu += spec.requirements.cpuMillis;
  }

  giveBack(spec: JobSpec): void {
    this.#used[kindOf(spec)] -= millisOf(spec);
    if (kindOf(spec) !== 'cpu') this.#used.cpu -= spec.requirements.cpuMillis;
  }
}

const zero = (): Record<PricedKind, number> => ({ cpu: 0, gpu: 0, npu: 0, fpga: 0 });

function offered({ cpuMillis, devices }: Inventory, kind: PricedKind): number {
  if (kind === 'cpu') return cpuMillis;
  const ofKind = devices.filter(device => device.kind === kind);
  return ofKind.reduce((millis, { slices }) => millis + 1_000 * Math.max(1, slices.length), 0);
}
