import { string } from '@oclif/core/flags';
import { z } from 'zod';
import { AstroCommand } from '../astro-command.js';
import { apiOf, gatewayFlags } from './gateway-flags.js';
import { readKeyFile } from './key-file.js';

const node = z.object({ id: z.string(), encryptionRecipient: z.string().optional() });

export default class DataSeal extends AstroCommand {
  static override summary =
    'What a job says so that the nodes that you choose, and nobody else, read its data';
  static override description =
    'Encrypts the key of the job to each node. What is printed are fields of the job: others of `requirements` come ' +
    'beside `nodes`, and each input that was encrypted to the key has `isEncrypted`.';
  static override flags = {
    ...gatewayFlags,
    key: string({ helpValue: 'FILE', required: true, description: 'the key of the job' }),
    node: string({ helpValue: 'NODE_ID', required: true, multiple: true, description: 'may run the job' }),
    'output-to': string({
      helpValue: 'AGE1…',
      required: true,
      multiple: true,
      description: 'may read its outputs',
    }),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(DataSeal);
    const api = await apiOf(flags);
    const { wrapJobKey } = await import('@astro/content/job-key');
    const identity = await readKeyFile(flags.key);
    const recipients: string[] = [];
    for (const nodeId of flags.node) {
      const { encryptionRecipient } = await api.get(`/v1/nodes/${nodeId}`, node);
      if (encryptionRecipient === undefined) this.error(`${nodeId} takes no encrypted jobs`, { exit: 1 });
      recipients.push(encryptionRecipient);
    }
    const wrappedKey = await wrapJobKey(identity, recipients);
    const encryption = { scheme: 'age', wrappedKey, outputRecipients: flags['output-to'] };
    const fields = { requirements: { nodes: flags.node }, encryption };
    this.log(JSON.stringify(fields, undefined, 2));
    return fields;
  }
}
