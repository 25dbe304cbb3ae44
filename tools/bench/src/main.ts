import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agents } from './agents/agents.js';
import { append } from './append.js';
import { archive } from './archive.js';
import { dataplane } from './dataplane/dataplane.js';
import { indexer } from './indexer/indexer.js';
import { ledger } from './ledger.js';
import { load } from './load.js';
import { matching } from './matching/matching.js';
import { memory } from './memory.js';
import { pipeline } from './pipeline.js';
import type { Benchmark } from './benchmark.js';
import { placing } from './placing.js';
import { projection } from './projection.js';
import { replay } from './replay.js';
import { settlement } from './settlement.js';
import { verification } from './verification.js';

const benchmarks: Readonly<Record<string, Benchmark>> = {
  agents,
  append,
  archive,
  dataplane,
  indexer,
  ledger,
  load,
  matching,
  memory,
  pipeline,
  placing,
  projection,
  replay,
  settlement,
  verification,
};

const words = process.argv.slice(2);
const isQuiet = words.includes('--json');
const [name = '', ...options] = words.filter(word => word !== '--json');
const chosen = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined;

if (chosen && (chosen.usage || options.length === 0)) {
  await measure(name, chosen);
} else {
  console.error('Usage: npm run bench -- NAME [--json]\n');
  for (const [known, { measures }] of Object.entries(benchmarks)) {
    console.error(`  ${known.padEnd(12)} ${measures}`);
  }
  process.exitCode = words.length === 0 ? 0 : 2;
}

/** The last line of the output is one JSON object. */
async function measure(name: string, benchmark: Benchmark): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), `astro-bench-${name}-`));
  try {
    const figures = await benchmark.run(folder, line => isQuiet || console.error(line), options);
    if (!isQuiet) console.table(figures);
    console.log(JSON.stringify(figures));
  } catch (error) {
    if (!(error instanceof RangeError) || !benchmark.usage) throw error;
    console.error(`${error.message}\n\n${benchmark.usage}`);
    process.exitCode = 2;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
