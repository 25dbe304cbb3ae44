import { setTimeout as sleep } from 'node:timers/promises';
import type { MarketNode } from '@astro/node-agent/cli/market';
import { boolean, integer } from '@oclif/core/flags';
import { z } from 'zod';
import { anHour, astro } from '../amount.js';
import { tableOf } from '../table.js';
import { NodeCommand, placeFlags } from './node-command.js';

const CLEAR = '\u001b[H\u001b[J';

const lease = z.object({
  id: z.string(),
  status: z.enum(['granted', 'started']),
  pricePerSecondAtto: z.string(),
  deadline: z.string(),
});
const leases = z.object({ items: z.array(lease) });
const earned = z.object({ items: z.array(z.object({ nodeId: z.string(), netAtto: z.string() })) });

type View = {
  readonly node: MarketNode;
  readonly usage: { readonly cpuPercent: number; readonly memoryUsedMib: number };
  readonly leases: readonly z.output<typeof lease>[];
  readonly earningAttoPerSecond: string;
  readonly earnedTodayAtto: string;
};

export default class NodeTop extends NodeCommand {
  static override summary = 'What the node is doing now, and what it earns';
  static override flags = {
    ...placeFlags,
    once: boolean({ description: 'look once; so does --json' }),
    seconds: integer({ min: 1, max: 3_600, default: 2, description: 'between two looks' }),
  };

  async run(): Promise<View> {
    const { flags } = await this.parse(NodeTop);
    const { api, nodeId } = await this.operator(flags);
    const [{ marketNode }, { MachineUsage }] = await Promise.all([
      import('@astro/node-agent/cli/market'),
      import('@astro/node-agent/heartbeat/usage'),
    ]);
    const machine = new MachineUsage();
    const today = new Date().toISOString().slice(0, 10);
    for (;;) {
      const [node, { items }, { items: earnings }] = await Promise.all([
        api.get(`/v1/nodes/${nodeId}`, marketNode),
        api.get(`/v1/nodes/${nodeId}/leases`, leases),
        api.get(`/v1/earnings?groupBy=node&from=${today}&to=${today}&limit=100`, earned),
      ]);
      const running = items.filter(({ status }) => status === 'started');
      const view: View = {
        node,
        usage: machine.read(),
        leases: items,
        earningAttoPerSecond: sumOf(running.map(({ pricePerSecondAtto }) => pricePerSecondAtto)),
        earnedTodayAtto: sumOf(earnings.filter(item => item.nodeId === nodeId).map(({ netAtto }) => netAtto)),
      };
      const isOnce = flags.once || this.jsonEnabled() || !process.stdout.isTTY;
      this.log(`${isOnce ? '' : CLEAR}${textOf(view)}`);
      if (isOnce) return view;
      await sleep(flags.seconds * 1_000);
    }
  }
}

const sumOf = (atto: readonly string[]): string =>
  atto.reduce((sum, amount) => sum + BigInt(amount), 0n).toString();

function textOf({ node, usage, leases: live, earningAttoPerSecond, earnedTodayAtto }: View): string {
  const state = node.drain ? `${node.status}, drained since ${node.drain.from}` : node.status;
  const units = node.performance
    ? `${node.performance.milliUnits / 1_000} compute units`
    : 'not measured yet';
  return [
    `${node.id}   ${state}   ${units}`,
    node.inventory.devices.map(({ kind, model }) => `${kind} ${model}`).join(', '),
    `processor ${usage.cpuPercent} %, memory ${usage.memoryUsedMib} MiB in use on this machine`,
    `earns ${anHour(earningAttoPerSecond)} now, has earned ${astro(earnedTodayAtto)} ASTRO today`,
    '',
    tableOf(
      ['lease', 'state', 'price', 'until'],
      live.map(({ id, status, pricePerSecondAtto, deadline }) => [
        id,
        status,
        anHour(pricePerSecondAtto),
        deadline,
      ]),
    ),
  ].join('\n');
}
