import { readFile, writeFile } from 'node:fs/promises';
import { string } from '@oclif/core/args';
import { string as flag } from '@oclif/core/flags';
import { AstroCommand } from '../astro-command.js';
import { readKeyFile } from './key-file.js';

export default class DataDecrypt extends AstroCommand {
  static override summary = 'Decrypt an age file';
  static override args = {
    input: string({ required: true, description: 'the age file' }),
    output: string({ required: true, description: 'the file in clear; only you may read it' }),
  };
  static override flags = {
    key: flag({ helpValue: 'FILE', required: true, description: 'an identity that it is for' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DataDecrypt);
    const { decryptWith } = await import('@astro/content/age');
    const identity = await readKeyFile(flags.key);
    const clear = await decryptWith([identity], new Uint8Array(await readFile(args.input)));
    await writeFile(args.output, clear, { mode: 0o600 });
    return { file: args.output, sizeBytes: clear.length };
  }
}
