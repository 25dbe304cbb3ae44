import type { Client } from './client.js';
import type { Market } from './market.js';
import { astro, type Story } from './story.js';

type Node = {
  readonly operatorId: string;
  readonly region: string;
  readonly pricePerSecondAtto: string;
  readonly status: string;
  readonly inventory: {
    readonly cpuMillis: number;
    readonly memoryMib: number;
    readonly devices: readonly { readonly kind: string; readonly model: string }[];
  };
};

/** Who offers what, as the gateway shows it to the client. */
export async function tellMarket(client: Client, market: Market, story: Story): Promise<void> {
  const { items } = await client.json<{ items: readonly Node[] }>('/v1/nodes');
  story.line('');
  story.table(
    ['operator', 'region', 'device', 'cores', 'MiB', 'ASTRO a second'],
    items.map(({ operatorId, region, inventory, pricePerSecondAtto }) => [
      market.operators.get(operatorId) ?? operatorId,
      region,
      inventory.devices.map(({ kind, model }) => `${kind} ${model}`).join(', '),
      inventory.cpuMillis / 1_000,
      inventory.memoryMib,
      astro(BigInt(pricePerSecondAtto)),
    ]),
  );
  story.line('');
}
