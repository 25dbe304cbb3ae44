import { parseArgs } from 'node:util';
import { transfersPerBlock } from './batch-chain.js';

export type IndexerOptions = {
  /** A multiple of the transfers of one block. */
  readonly transfers: number;
  /** How long the chain makes a block a second, to see how far behind the tables are. */
  readonly headSeconds: number;
  readonly hasRival: boolean;
};

export const usage = `npm run bench -- indexer [--transfers N] [--seconds S] [--no-rival] [--json]
  --transfers N   ${transfersPerBlock} a block; the default is 200000
  --seconds S     of blocks that come by the clock; the default is 60
  --no-rival      without Ponder, whose figure is null then`;

const limits = { transfers: [2_000, 2_000_000], seconds: [1, 600] } as const;

/** @throws RangeError that names the option and the rule */
export function parseOptions(args: readonly string[]): IndexerOptions {
  const { transfers, seconds, 'no-rival': isAlone } = valuesOf(args);
  return {
    transfers: Math.ceil(numberIn('transfers', transfers) / transfersPerBlock) * transfersPerBlock,
    headSeconds: numberIn('seconds', seconds),
    hasRival: !isAlone,
  };
}

function valuesOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        transfers: { type: 'string', default: '200000' },
        seconds: { type: 'string', default: '60' },
        'no-rival': { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new RangeError(error.message, { cause: error });
  }
}

function numberIn(name: keyof typeof limits, text: string): number {
  const [least, most] = limits[name];
  const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(number >= least && number <= most))
    throw new RangeError(`--${name}: ${text} is not a number from ${least} to ${most}`);
  return number;
}
