import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

export type Options = {
  readonly nodes: number;
  /** How long the whole fleet is watched. */
  readonly seconds: number;
  /** Nodes that leave without a word, and as many that come back, each second. */
  readonly churn: number;
  /** NATS servers that the nodes connect to, of which the one that stores is none; 0: they connect to that one. */
  readonly leaves: number;
  /** Over which the nodes are spread here. */
  readonly processes: number;
};

export const usage = `Options:
  --nodes N     simulated nodes, each with a connection and a key of its own (20000; 1 to 50000)
  --seconds N   how long they are watched once all are there (60; 5 to 3600)
  --churn N     how many leave without a word each second, and how many come back (20; 0 to 1000)
  --leaves N    leaf servers that the nodes connect to, one process of nodes for each (as many as the limit of open
                files asks for; 0 to 16)`;

/** Files that a server or a process of nodes has open besides one connection for each node. */
const OTHER_FILES = 500;
const LEAVES_MAX = 16;

/** @throws RangeError about a wrong option, or about a limit of the system that is too low for so many nodes */
export function readOptions(words: readonly string[]): Options {
  const { values } = parse(words);
  const counts = {
    nodes: countIn('nodes', values.nodes, 1, 50_000),
    seconds: countIn('seconds', values.seconds, 5, 3_600),
    churn: countIn('churn', values.churn, 0, 1_000),
  };
  const room = openFilesMax() - OTHER_FILES;
  const needed = Math.ceil(counts.nodes / room);
  const leaves =
    values.leaves === undefined ? (needed > 1 ? needed : 0) : countIn('leaves', values.leaves, 0, LEAVES_MAX);
  const processes = Math.max(1, leaves);
  if (!(room > 0 && needed <= Math.min(processes, LEAVES_MAX))) {
    const files = Math.ceil(counts.nodes / processes) + OTHER_FILES;
    throw new RangeError(
      `--nodes ${counts.nodes} over ${processes} processes need ${files} open files each: ulimit -n ${files}`,
    );
  }
  return { ...counts, leaves, processes };
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      options: {
        nodes: { type: 'string', default: '20000' },
        seconds: { type: 'string', default: '60' },
        churn: { type: 'string', default: '20' },
        leaves: { type: 'string' },
      },
    });
  } catch (error) {
    throw new RangeError((error as Error).message, { cause: error });
  }
}

function countIn(name: string, text: string, least: number, most: number): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < least || count > most)
    throw new RangeError(`--${name} must be a whole number from ${least} to ${most}, not ${text}`);
  return count;
}

/** What the kernel lets this process, and so its children, have open. */
function openFilesMax(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const [, soft = 'unlimited'] = /^Max open files\s+(\S+)/m.exec(limits) ?? [];
  return soft === 'unlimited' ? Infinity : Number(soft);
}
