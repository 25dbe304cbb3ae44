import { integer } from '@oclif/core/flags';
import { NodeCommand, placeFlags } from './node-command.js';

export default class NodeDrain extends NodeCommand {
  static override summary = 'Take no more work; what runs ends in its own time, or by the end of a notice';
  static override flags = {
    ...placeFlags,
    notice: integer({
      helpValue: 'SECONDS',
      min: 0,
      description: 'what still runs then is taken back, and is not paid',
    }),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(NodeDrain);
    const { api, nodeId } = await this.operator(flags);
    const { marketNode } = await import('@astro/node-agent/cli/market');
    const request = flags.notice === undefined ? {} : { noticeSeconds: flags.notice };
    const { body } = await api.send('POST', `/v1/nodes/${nodeId}/drain`, request);
    const { drain } = marketNode.parse(body);
    const end = drain?.noticeUntil === undefined ? 'in their own time' : `by ${drain.noticeUntil}`;
    this.log(`${nodeId} takes no more work since ${drain?.from}; its leases end ${end}`);
    return { nodeId, drain };
  }
}
