import { string } from '@oclif/core/args';
import { AstroCommand } from '../astro-command.js';
import { writeKeyFile } from './key-file.js';

export default class DataKey extends AstroCommand {
  static override summary = 'Make an age identity: the key of a job, or of whoever is to read its outputs';
  static override args = {
    file: string({ required: true, description: 'where it is written; only you may read it' }),
  };

  async run(): Promise<unknown> {
    const { args } = await this.parse(DataKey);
    const { newAgeIdentity, recipientOf } = await import('@astro/content/age');
    const identity = await newAgeIdentity();
    const recipient = await recipientOf(identity);
    await writeKeyFile(args.file, identity, recipient);
    this.log(recipient);
    return { file: args.file, recipient };
  }
}
