import { boolean, string } from '@oclif/core/flags';
import { z } from 'zod';
import { astro } from '../amount.js';
import { tableOf } from '../table.js';
import { NodeCommand, placeFlags } from './node-command.js';

const PAGES_MAX = 50;

const earning = z.object({
  day: z.string().optional(),
  device: z.string().optional(),
  nodeId: z.string().optional(),
  charges: z.number(),
  workMs: z.number(),
  grossAtto: z.string(),
  feeAtto: z.string(),
  netAtto: z.string(),
});
type Earning = z.output<typeof earning>;
const page = z.object({ items: z.array(earning), nextCursor: z.string().optional() });
const summary = z.object({ earnedAtto: z.string(), claimableAtto: z.string(), claimedAtto: z.string() });

export default class NodeEarnings extends NodeCommand {
  static override summary = 'What your nodes have earned';
  static override flags = {
    ...placeFlags,
    day: boolean({ description: 'by day' }),
    device: boolean({ description: 'by device' }),
    node: boolean({ description: 'by node' }),
    from: string({ helpValue: 'YYYY-MM-DD', description: 'first day; 29 before the last without it' }),
    to: string({ helpValue: 'YYYY-MM-DD', description: 'last day; today without it' }),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(NodeEarnings);
    const { api } = await this.operator(flags);
    const groupBy = (['day', 'device', 'node'] as const).filter(name => flags[name]);
    const query = new URLSearchParams({ limit: '100', groupBy: groupBy.join(',') });
    for (const name of ['from', 'to'] as const) if (flags[name]) query.set(name, flags[name]);
    const items: Earning[] = [];
    for (let pages = 0; pages < PAGES_MAX; pages++) {
      const { items: more, nextCursor } = await api.get(`/v1/earnings?${query}`, page);
      items.push(...more);
      if (nextCursor === undefined) break;
      query.set('cursor', nextCursor);
    }
    const total = await api.get('/v1/earnings/summary', summary);
    const heads = [...groupBy, 'leases', 'hours', 'fee ASTRO', 'earned ASTRO'];
    this.log(
      tableOf(
        heads,
        items.map(item => [...groupBy.map(name => keyOf(item, name)), ...amountsOf(item)]),
      ),
    );
    this.log(`\n${astro(total.earnedAtto)} ASTRO in all; ${astro(total.claimableAtto)} wait on the chain`);
    return { items, summary: total };
  }
}

const keyOf = (item: Earning, name: 'day' | 'device' | 'node'): string =>
  (name === 'node' ? item.nodeId : item[name]) ?? '';

const amountsOf = ({ charges, workMs, feeAtto, netAtto }: Earning): readonly string[] => [
  String(charges),
  (workMs / 3_600_000).toFixed(3),
  astro(feeAtto),
  astro(netAtto),
];
