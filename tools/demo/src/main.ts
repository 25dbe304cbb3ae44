import { mkdtemp, rm } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Platform } from '@astro/devstack/platform';
import { assertPromises, reportOf, runMainJob } from './main-job.js';
import { tellResult } from './result.js';
import { Story } from './story.js';

/** Batches that are settled while somebody watches. */
const paceOfSettlement = { SETTLEMENT_EVERY_MS: '500', SETTLEMENT_POLL_MS: '200' };

const usage = 'usage: npm run demo [-- --json]';

/** Boots a platform of its own, runs the main job on it, tells the story, and stops everything it started. */
async function demo(json: boolean): Promise<void> {
  const startedAt = Date.now();
  // With --json the story goes to standard error, so that standard output ends with the one object.
  const story = new Story(json ? process.stderr : process.stdout);
  const stateDir = await mkdtemp(join(tmpdir(), 'astro-demo-'));
  const logFile = join(stateDir, 'demo.log');
  const log = createWriteStream(logFile);
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => interrupted.abort(new Error(signal)));

  story.chapter('The platform: real servers, every service its own process');
  let platform: Platform | undefined;
  try {
    platform = await Platform.start({
      stateDir,
      settles: true,
      env: { billing: paceOfSettlement },
      signal: interrupted.signal,
      log: (source, line) => {
        log.write(`${source} ${line}\n`);
        if (source === 'platform') story.progress(line);
      },
    });
    story.progress(`ready at ${platform.gatewayUrl}`, true);
    const outcome = await runMainJob(platform, story, interrupted.signal);
    tellResult(outcome, story);
    assertPromises(outcome);
    const report = reportOf(outcome, Date.now() - startedAt);
    story.chapter('Stopping what was started');
    await platform.stop();
    await rm(stateDir, { recursive: true, force: true });
    story.step('everything has stopped');
    if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
  } catch (failure) {
    const error: unknown = interrupted.signal.aborted ? interrupted.signal.reason : failure;
    await platform?.stop();
    story.line(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
    story.line(`The log of all processes is in ${logFile}`);
    process.exitCode = 1;
  } finally {
    log.end();
  }
}

try {
  const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
  await demo(values.json);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
  process.exitCode = 2;
}
