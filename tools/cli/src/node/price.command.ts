import type { Prices } from '@astro/node-agent/cli/asked-prices';
import type { MarketNode } from '@astro/node-agent/cli/market';
import { string } from '@oclif/core/flags';
import { anHour, astro } from '../amount.js';
import { NodeCommand, placeFlags } from './node-command.js';

const amount = (description: string) => string({ helpValue: 'BASE_UNITS', description });

export default class NodePrice extends NodeCommand {
  static override summary = 'What is asked for this node; with a flag, ask something else';
  static override description =
    'A change is written to the configuration. A running agent offers it after its next two looks at the hardware ' +
    '(INVENTORY_LOOK_MS), without a restart; leases keep the price that they were granted at.';
  static override flags = {
    ...placeFlags,
    'on-demand': amount('for each device and second'),
    interruptible: amount(
      'the least for a lease that may be stopped with notice; `half` for half of the other',
    ),
    'per-gib': amount('for each GiB that is moved for a lease; `none` for nothing'),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(NodePrice);
    const places = await this.places(flags);
    const { api, nodeId } = await this.operator(flags);
    const [{ marketNode, modelOf, usualPrice }, { changePrices }] = await Promise.all([
      import('@astro/node-agent/cli/market'),
      import('@astro/node-agent/cli/asked-prices'),
    ]);
    const asked = await changePrices(places.configFile, process.env, {
      onDemand: flags['on-demand'],
      interruptible: flags.interruptible,
      perGibTransferred: flags['per-gib'],
    });
    const offered = await api.get(`/v1/nodes/${nodeId}`, marketNode);
    const usual = await usualPrice(api, modelOf(offered.inventory.devices));
    this.log(`on demand       ${anHour(asked.onDemand)}`);
    this.log(`interruptible   ${asked.interruptible ? anHour(asked.interruptible) : 'half of that'}`);
    const { perGibTransferred: perGib } = asked;
    this.log(`transfer        ${perGib ? `${astro(perGib)} ASTRO a GiB` : 'nothing'}`);
    if (usual !== undefined) this.log(`nodes like it   ${anHour(usual)} (median)`);
    const isTold = isOffered(offered, asked);
    if (!isTold) this.log('\nThe market has another price still: the agent tells it soon, or when it runs.');
    return { nodeId, asked, isOffered: isTold, usualAtto: usual?.toString() };
  }
}

const isOffered = (node: MarketNode, asked: Prices): boolean =>
  node.pricePerSecondAtto === asked.onDemand &&
  (asked.interruptible === undefined || node.interruptiblePricePerSecondAtto === asked.interruptible);
