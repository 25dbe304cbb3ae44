import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describe, faultKinds, planOf, type FaultKind } from './plan.js';
import { runSeed, type Result } from './run.js';

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => interrupted.abort(new Error(`ended by ${signal}`)));

const usage = `usage: npm run chaos -- --seed N [--runs K] [--minutes M] [--parallel P] [--plan] [--quiet]
  [--faults ${faultKinds.join(',')}]`;
/** Platforms side by side; each is a dozen processes. */
const parallelMax = 16;

type Request = {
  readonly seed: number;
  readonly runs: number;
  readonly minutes: number;
  readonly parallel: number;
  readonly faults: readonly FaultKind[];
  readonly planOnly: boolean;
  readonly quiet: boolean;
};

function parse(args: string[]): Request {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string', default: '1' },
      runs: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '1' },
      parallel: { type: 'string', default: '1' },
      faults: { type: 'string' },
      plan: { type: 'boolean', default: false },
      quiet: { type: 'boolean', default: false },
    },
  });
  const faults = values.faults?.split(',') ?? [...faultKinds];
  const unknown = faults.filter(fault => !faultKinds.some(kind => kind === fault));
  if (unknown.length > 0) throw new Error(`there is no fault ${unknown.join(', ')}`);
  const [seed, runs, minutes] = [Number(values.seed), Number(values.runs), Number(values.minutes)];
  const parallel = Number(values.parallel);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error('--seed must be a whole number');
  if (!Number.isSafeInteger(runs) || runs < 1) throw new Error('--runs must be a whole number from 1');
  if (!(minutes > 0 && minutes <= 600)) throw new Error('--minutes must be above 0 and at most 600');
  if (!Number.isSafeInteger(parallel) || parallel < 1 || parallel > parallelMax)
    throw new Error(`--parallel must be a whole number from 1 to ${parallelMax}`);
  const { plan: planOnly, quiet } = values;
  return { seed, runs, minutes, parallel, faults: faults as FaultKind[], planOnly, quiet };
}

/** True when nothing was breached. */
async function runOne(seed: number, request: Request, totals: Map<string, number>): Promise<boolean> {
  const { minutes, faults, quiet, planOnly } = request;
  const durationMs = minutes * 60_000;
  const plan = planOf(seed, durationMs, faults).map(describe);
  if (planOnly || !quiet) process.stdout.write(`plan of seed ${seed}:\n  ${plan.join('\n  ')}\n`);
  if (planOnly) return true;
  const startedAt = Date.now();
  const say = (line: string) => {
    if (!quiet)
      process.stdout.write(
        `${seed}: ${((Date.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${line}\n`,
      );
  };
  const stateDir = await mkdtemp(join(tmpdir(), 'astro-chaos-'));
  const logFile = `${stateDir}.log`;
  const log = createWriteStream(logFile);
  const write = (source: string, line: string) =>
    void log.write(`${new Date().toISOString()} ${source} ${line}\n`);
  try {
    const result = await runSeed({
      seed,
      durationMs,
      faults,
      stateDir,
      say,
      log: write,
      signal: interrupted.signal,
    });
    process.stdout.write(`${lineOf(seed, result, Date.now() - startedAt)}\n`);
    for (const [kind, count] of result.faults) totals.set(kind, (totals.get(kind) ?? 0) + count);
    if (result.breaches.length === 0) {
      await rm(logFile, { force: true });
      return true;
    }
    for (const { invariant, detail } of result.breaches) process.stdout.write(`  ${invariant}: ${detail}\n`);
  } catch (error) {
    process.stdout.write(
      `| ${seed} | failed | ${error instanceof Error ? error.message : String(error)} |\n`,
    );
  } finally {
    log.end();
    await rm(stateDir, { recursive: true, force: true });
  }
  const allowed = faults.length === faultKinds.length ? '' : ` --faults ${faults.join(',')}`;
  process.stdout.write(`  the plan was:\n  ${plan.join('\n  ')}\n  log of all processes: ${logFile}\n`);
  process.stdout.write(`  replay: npm run chaos -- --seed ${seed} --minutes ${minutes}${allowed}\n`);
  return false;
}

/** One row of the table in docs/chaos.md. */
function lineOf(
  seed: number,
  { faults, crashes, jobs, transfers, events, breaches }: Result,
  wallMs: number,
): string {
  const cells = [seed, countsOf(faults), crashes, jobs, transfers, events, breaches.length];
  return `| ${cells.join(' | ')} | ${Math.round(wallMs / 1_000)} s |`;
}

/** `7: kill 3, poison 4` */
function countsOf(faults: ReadonlyMap<string, number>): string {
  const counts = [...faults].map(([kind, count]) => `${kind} ${count}`).sort();
  const total = [...faults.values()].reduce((sum, count) => sum + count, 0);
  return counts.length === 0 ? '0' : `${total}: ${counts.join(', ')}`;
}

async function main(request: Request): Promise<void> {
  if (!request.planOnly)
    process.stdout.write(`| seed | faults | crashed there | jobs | transfers | events | breaches | wall |\n`);
  const totals = new Map<string, number>();
  let [tried, sound] = [0, 0];
  const work = async () => {
    while (tried < request.runs && !interrupted.signal.aborted)
      if (await runOne(request.seed + tried++, request, totals)) sound++;
  };
  await Promise.all(Array.from({ length: request.parallel }, work));
  if (request.planOnly) return;
  process.stdout.write(`${sound} of ${tried} seeds without a breach\n`);
  if (totals.size > 0) process.stdout.write(`faults: ${countsOf(totals)}\n`);
  process.exitCode = sound === request.runs ? 0 : 1;
}

try {
  await main(parse(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
  process.exitCode = 2;
}
