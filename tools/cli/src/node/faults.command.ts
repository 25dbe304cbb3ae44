import { z } from 'zod';
import { astro } from '../amount.js';
import { tableOf } from '../table.js';
import { NodeCommand, placeFlags } from './node-command.js';

const terms = z.object({
  rules: z.string(),
  asOfBlock: z.number(),
  address: z.string(),
  bondAtto: z.string(),
  disputeWindowSeconds: z.number(),
  appealWindowSeconds: z.number(),
  appealTimeoutSeconds: z.number(),
  items: z.array(
    z.object({
      kind: z.string(),
      role: z.string(),
      fractionBps: z.number(),
      stakedAtto: z.string(),
      costAtto: z.string(),
    }),
  ),
});

export default class NodeFaults extends NodeCommand {
  static override summary = 'What each kind of fault of your nodes would cost you now; nobody is accused';
  static override flags = placeFlags;

  async run(): Promise<unknown> {
    const { flags } = await this.parse(NodeFaults);
    const { api } = await this.operator(flags);
    const answer = await api.get('/v1/faults', terms);
    const { rules, asOfBlock, address, items, bondAtto } = answer;
    this.log(`${rules}, by the stake on ${address} as of block ${asOfBlock}`);
    this.log(
      tableOf(
        ['fault', 'role', 'of the stake', 'staked ASTRO', 'cost ASTRO'],
        items.map(({ kind, role, fractionBps, stakedAtto, costAtto }) => [
          ...[kind, role, `${fractionBps / 100} %`],
          ...[astro(stakedAtto), astro(costAtto)],
        ]),
      ),
    );
    this.log(
      `\nAn accuser puts down ${astro(bondAtto)} ASTRO, which is yours when the accusation is dismissed.`,
    );
    this.log(
      `You may answer within ${hours(answer.disputeWindowSeconds)}, and appeal against what is upheld`,
    );
    this.log(`within ${hours(answer.appealWindowSeconds)}; nothing is taken before.`);
    return answer;
  }
}

const hours = (seconds: number): string => `${+(seconds / 3_600).toFixed(2)} hours`;
