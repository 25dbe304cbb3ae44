import { string } from '@oclif/core/flags';
import { NodeCommand, placeFlags } from './node-command.js';

export default class NodeRecoverKey extends NodeCommand {
  static override summary = 'Put another key in the place of a lost or stolen one, by the operator’s API key';
  static override flags = {
    ...placeFlags,
    node: string({ helpValue: 'NODE_ID', description: 'where this machine does not know it any more' }),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(NodeRecoverKey);
    const { recoverOwnKey } = await import('@astro/node-agent/cli/node-key');
    const given = await recoverOwnKey(await this.places(flags), process.env, flags.node);
    this.log(`${given.nodeId} has the key ${given.publicKey}; start its agent (again)`);
    return given;
  }
}
