import { z } from 'zod';
import type { OperatorApi } from './operator-api.js';

const device = z.object({ kind: z.string(), model: z.string() });
export const marketNode = z.object({
  id: z.string(),
  status: z.enum(['online', 'offline']),
  region: z.string(),
  pricePerSecondAtto: z.string(),
  interruptiblePricePerSecondAtto: z.string(),
  pricePerGibTransferredAtto: z.string(),
  inventory: z.object({ devices: z.array(device), cpuMillis: z.number(), memoryMib: z.number() }),
  drain: z.object({ from: z.string(), noticeUntil: z.string().optional() }).optional(),
  performance: z.object({ milliUnits: z.number(), measuredAt: z.string() }).optional(),
});
export type MarketNode = z.output<typeof marketNode>;
const page = z.object({ items: z.array(marketNode) });

/** What makes two nodes alike to those who pay: the model of their first device that is no processor. */
export const modelOf = (devices: readonly { readonly kind: string; readonly model: string }[]): string =>
  devices.find(({ kind }) => kind !== 'cpu')?.model ?? 'cpu';

/** The median of what a hundred nodes like it ask that are online; undefined where there is none. */
export async function usualPrice(api: OperatorApi, model: string): Promise<bigint | undefined> {
  const { items } = await api.get('/v1/nodes?status=online&limit=100', page);
  const prices = items
    .filter(({ inventory }) => modelOf(inventory.devices) === model)
    .map(({ pricePerSecondAtto }) => BigInt(pricePerSecondAtto))
    .sort((left, right) => (left < right ? -1 : Number(left > right)));
  return prices[Math.floor(prices.length / 2)];
}
