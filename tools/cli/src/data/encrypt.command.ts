import { readFile, writeFile } from 'node:fs/promises';
import { string } from '@oclif/core/args';
import { string as flag } from '@oclif/core/flags';
import { AstroCommand } from '../astro-command.js';
import { readKeyFile } from './key-file.js';

export default class DataEncrypt extends AstroCommand {
  static override summary = 'Encrypt a file, such as an input to the key of its job';
  static override args = {
    input: string({ required: true, description: 'the file in clear' }),
    output: string({ required: true, description: 'the age file' }),
  };
  static override flags = {
    key: flag({
      helpValue: 'FILE',
      description: 'whoever has this key can read it',
      exactlyOne: ['key', 'to'],
    }),
    to: flag({ helpValue: 'AGE1…', description: 'whoever has the key of any of these can', multiple: true }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DataEncrypt);
    const [{ encryptTo, recipientOf }, { cidOf }] = await Promise.all([
      import('@astro/content/age'),
      import('@astro/messages/content-id'),
    ]);
    const recipients = flags.to ?? [await recipientOf(await readKeyFile(flags.key!))];
    const file = await encryptTo(recipients, new Uint8Array(await readFile(args.input)));
    await writeFile(args.output, file);
    const cid = cidOf(file);
    this.log(cid);
    return { file: args.output, cid, sizeBytes: file.length };
  }
}
