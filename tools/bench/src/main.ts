import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { append } from './append.js';
import { load } from './load.js';
import { phillyCommand } from './matching/philly.js';
import { pipeline } from './pipeline.js';
import type { Benchmark } from './benchmark.js';
import { placing } from './placing.js';
import { projection } from './projection.js';
import { replay } from './replay.js';

const benchmarks: Readonly<Record<string, Benchmark>> = {
  append,
  load,
  pipeline,
  placing,
  projection,
  replay,
};

const words = process.argv.slice(2);
const isQuiet = words.includes('--json');
const names = words.filter(word => word !== '--json');
const chosen = names.length === 1 && Object.hasOwn(benchmarks, names[0]!) ? benchmarks[names[0]!] : undefined;

if (names[0] === 'matching') {
  await phillyCommand(words.slice(1), line => isQuiet || console.error(line));
} else if (chosen) {
  await measure(names[0]!, chosen);
} else {
  console.error('Usage: npm run bench -- NAME [--json]\n');
  for (const [name, { measures }] of Object.entries(benchmarks)) {
    console.error(`  ${name.padEnd(12)} ${measures}`);
  }
  process.exitCode = names.length === 0 ? 0 : 2;
}

/** The last line of the output is one JSON object. */
async function measure(name: string, { run }: Benchmark): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), `astro-bench-${name}-`));
  try {
    const figures = await run(folder, line => isQuiet || console.error(line));
    if (!isQuiet) console.table(figures);
    console.log(JSON.stringify(figures));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
