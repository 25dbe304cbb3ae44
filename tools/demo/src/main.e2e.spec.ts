import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { repositoryRoot } from '@astro/devstack/repository';
import type { Report } from './main-job.js';

const entry = join(repositoryRoot, 'tools/demo/dist/main.js');

/** The demo as a process of its own, as `npm run demo` starts it. */
const demo = (args: readonly string[], interruptWhen?: string) =>
  new Promise<{ code: number | string | null; stdout: string; stderr: string }>(resolve => {
    const child = execFile(
      process.execPath,
      [entry, ...args],
      { timeout: 240_000 },
      (error, stdout, stderr) => resolve({ code: error ? (error.code ?? null) : 0, stdout, stderr }),
    );
    child.stderr?.on('data', (text: string) => {
      if (interruptWhen !== undefined && text.includes(interruptWhen)) child.kill('SIGINT');
    });
  });

test('the main job: digits are learnt, the liar is caught and unpaid, the ledger balances', async () => {
  const { code, stdout, stderr } = await demo(['--json']);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const report = JSON.parse(stdout.trim().split('\n').at(-1)) as Report;
  expect(report).toMatchObject({ jobs: 5, tasks: 28, succeeded: 28, ledgerSumAtto: '0' });
  expect(report.accuracy).toBeGreaterThan(0.9);
  expect(report.refuted).toBeGreaterThan(0);
  // Two replicas of every task, and one more for each that the liar took part in.
  expect(report.leases).toBeGreaterThanOrEqual(2 * report.tasks + report.refuted);
  const charged = BigInt(report.chargedAtto);
  const fee = BigInt(report.feeAtto);
  const burned = BigInt(report.burnedAtto);
  expect(BigInt(report.providersAtto) + fee).toBe(charged);
  expect(burned).toBeGreaterThan(0n);
  expect(burned).toBeLessThan(fee);
  const chain = report.chain!;
  expect(chain).toMatchObject({ escrowDepositedAtto: '1000000000000000000000', final: true });
  expect(chain.asOfBlock).toBeGreaterThan(0);
  // All that was charged is settled; what was claimed, burned and paid to the treasury has left Escrow, and no more.
  expect(chain.settledAtto).toBe(report.chargedAtto);
  expect(chain.settlements).not.toContain('');
  expect(new Set(chain.settlements).size).toBeGreaterThan(0);
  expect(chain.claims).toEqual([expect.stringMatching(/^0x[0-9a-f]{64}$/)]);
  const left = BigInt(chain.burnedAtto) + BigInt(chain.toTreasuryAtto) + BigInt(chain.claimedAtto);
  expect(BigInt(chain.burnedAtto)).toBeGreaterThan(0n);
  expect(chain.escrowAtto).toBe(String(BigInt(chain.escrowDepositedAtto) - left));
  expect(chain.ledgerAtto).toBe(chain.escrowAtto);
  expect(chain.finalBlock).toBeGreaterThan(chain.asOfBlock);
  expect(stderr).toContain('Mirage Ltd');
}, 300_000);

test('an interrupted demo stops what it started and says that it failed', async () => {
  const { code, stdout, stderr } = await demo(['--json'], 'uploaded the training program');
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toContain('The demo failed: SIGINT');
  const logFile = /log of all processes is in (.*)/.exec(stderr)![1]!;
  expect(await readFile(logFile, 'utf8')).toContain('stopping the servers');
  await rm(dirname(logFile), { recursive: true, force: true });
}, 300_000);

test('a wrong option is refused with the usage', async () => {
  const { code, stderr } = await demo(['--jsn']);
  expect(code).toBe(2);
  expect(stderr).toContain('usage: npm run demo');
});
