import { readFile } from 'node:fs/promises';
import { string as text } from '@oclif/core/args';
import { boolean, string } from '@oclif/core/flags';
import { CLIError } from '@oclif/core/errors';
import type { Bundle } from '@astro/archive/evidence/bundle';
import { AstroCommand } from '../astro-command.js';
import { exitCode } from '../exit-codes.js';

const FLAWS_TOLD_MAX = 50;

type Answer = {
  readonly isSound: boolean;
  readonly hash?: string;
  readonly wasRunAgain: boolean;
  readonly flaws: readonly string[];
};

export default class VerifyEvidence extends AstroCommand {
  static override summary =
    'Recompute evidence of a fault from the events it cites, and run the program again';
  static override args = { file: text({ required: true, description: 'the bundle, in JSON' }) };
  static override flags = {
    hash: string({ helpValue: '0x…', description: 'what the accusation on chain has as its evidence' }),
    're-run': boolean({ description: 'run the program again', dependsOn: ['content'] }),
    content: string({
      helpValue: 'FOLDER|URL',
      description: 'files named by their content ids, or a trustless gateway; ASTRO_KEY is its key',
    }),
  };

  async run(): Promise<Answer> {
    const { args, flags } = await this.parse(VerifyEvidence);
    const answer = await check(await jsonIn(args.file), flags);
    const { isSound, hash, flaws } = answer;
    this.log(`${args.file}: ${isSound ? 'sound' : `${flaws.length} flaws`}${hash ? `; ${hash}` : ''}`);
    for (const flaw of flaws.slice(0, FLAWS_TOLD_MAX)) this.log(`  ${flaw}`);
    this.failsUnless(isSound);
    return answer;
  }
}

type Flags = {
  readonly hash?: string | undefined;
  readonly 're-run': boolean;
  readonly content?: string | undefined;
};

async function check(json: unknown, flags: Flags): Promise<Answer> {
  const [{ bundleSchema }, { checkBundle }] = await Promise.all([
    import('@astro/archive/evidence/bundle'),
    import('./bundle-flaws.js'),
  ]);
  const read = bundleSchema.safeParse(json);
  if (!read.success) {
    const flaws = read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    return { isSound: false, wasRunAgain: false, flaws };
  }
  const bundle: Bundle = read.data;
  const { hash, statement, flaws } = checkBundle(bundle, flags.hash);
  // What does not follow from its events need not be run.
  if (!statement || flaws.length > 0 || !flags['re-run'] || flags.content === undefined)
    return { isSound: flaws.length === 0, hash, wasRunAgain: false, flaws };
  const { flawsByRunning } = await import('./run-again.js');
  const found = await flawsByRunning(statement, flags.content).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CLIError(`the program cannot be run again: ${reason}`, { exit: exitCode.unreachable });
  });
  return { isSound: found.length === 0, hash, wasRunAgain: true, flaws: found };
}

async function jsonIn(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CLIError(`${file}: ${reason}`, { exit: exitCode.wrongUsage });
  }
}
