import type { DemandTable } from '../../engine/demand.js';
import type { DemandRate } from '../demand-rate.js';

/**
 * What a pool believes of its arrivals before any has come, worth fifty of them: mostly one device with its share of a
 * machine's CPU, some parts of one, now and then a whole machine, and CPU alone. It keeps requests for CPU alone, which
 * come first as likely as not, off nodes that have little more CPU than their devices need.
 */
export function priorMix(demands: DemandTable): DemandRate[] {
  return believed.map(({ vcpu, devices, shareThousandths, arrivals }) => ({
    demand: demands.intern({
      cpuMillis: vcpu * 1000,
      devices: devices === 0 ? undefined : { ...anyGpu, count: devices, shareThousandths },
    }),
    rate: arrivals,
  }));
}

const believed = [
  { vcpu: 8, devices: 1, shareThousandths: 1000, arrivals: 20 },
  { vcpu: 4, devices: 1, shareThousandths: 500, arrivals: 15 },
  { vcpu: 64, devices: 8, shareThousandths: 1000, arrivals: 1 },
  { vcpu: 4, devices: 0, shareThousandths: 0, arrivals: 14 },
] as const;

const anyGpu = {
  kind: 'gpu',
  profile: '',
  vendor: '',
  models: [],
  memoryMib: 0,
  isInterconnected: false,
} as const;
