import { NodeCommand, placeFlags } from './node-command.js';

export default class NodeUndrain extends NodeCommand {
  static override summary = 'Take work again';
  static override flags = placeFlags;

  async run(): Promise<unknown> {
    const { flags } = await this.parse(NodeUndrain);
    const { api, nodeId } = await this.operator(flags);
    await api.send('DELETE', `/v1/nodes/${nodeId}/drain`);
    this.log(`${nodeId} takes work again`);
    return { nodeId };
  }
}
