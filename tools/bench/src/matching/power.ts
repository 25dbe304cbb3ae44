import type { Hold } from '@astro/matching/engine/hold';
import type { NodeOffer } from '@astro/matching/engine/offer';

/**
 * Power draw of a cluster from which nothing departs: a device with any allocation draws its full power, another its
 * idle power, and so do sockets with and without a busy core.
 */
export class Power {
  watts = 0;
  private readonly nodes: ReadonlyMap<string, { offer: NodeOffer; cpuMillis: number; used: Set<number> }>;

  constructor(offers: readonly NodeOffer[]) {
    this.nodes = new Map(
      offers.map(offer => [offer.nodeId, { offer, cpuMillis: 0, used: new Set<number>() }]),
    );
    for (const { cpuMillis, cpuPower, devices } of offers) {
      this.watts += Math.ceil(cpuMillis / cpuPower.socketMillis) * cpuPower.idleWatts;
      for (const { idleWatts } of devices) this.watts += idleWatts;
    }
  }

  add({ nodeId, cpuMillis, units }: Hold): void {
    const node = this.nodes.get(nodeId)!;
    const { socketMillis, idleWatts, fullWatts } = node.offer.cpuPower;
    const busyBefore = Math.ceil(node.cpuMillis / socketMillis);
    node.cpuMillis += cpuMillis;
    this.watts += (Math.ceil(node.cpuMillis / socketMillis) - busyBefore) * (fullWatts - idleWatts);
    for (const { device } of units) {
      if (node.used.has(device)) continue;
      node.used.add(device);
      const draw = node.offer.devices[device]!;
      this.watts += draw.fullWatts - draw.idleWatts;
    }
  }
}
