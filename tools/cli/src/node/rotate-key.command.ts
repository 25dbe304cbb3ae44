import { NodeCommand, placeFlags } from './node-command.js';

export default class NodeRotateKey extends NodeCommand {
  static override summary = 'Give the node another key; what was issued for the current one ends';
  static override flags = placeFlags;

  async run(): Promise<unknown> {
    const { flags } = await this.parse(NodeRotateKey);
    const { rotateOwnKey } = await import('@astro/node-agent/cli/node-key');
    const given = await rotateOwnKey(await this.places(flags), process.env);
    this.log(`${given.nodeId} has the key ${given.publicKey}; an agent that runs goes over to it by itself`);
    return given;
  }
}
