import { localTenant } from '@astro/devstack/local-market';
import { operatorAccount } from '@astro/messages/ledger-accounts';
import { balanceOf, burnedAtto, chargedAtto, earnedByOperators, feeAtto } from './audit.js';
import type { MainJob } from './main-job.js';
import { astro, type Story } from './story.js';

/** What happened and where the money went, added up from the events alone. */
export function tellResult({ market, training, audit, escrow }: MainJob, story: Story): void {
  story.chapter('What happened');
  const percent = (100 * training.accuracy).toFixed(2);
  story.line(`  The trained network reads ${percent} % of ${training.testImages} digits it had never seen.`);
  story.line(`  ${audit.jobs} jobs, ${audit.tasks} tasks, ${audit.leases} leases, ${audit.events} events.\n`);
  story.table(
    ['operator', 'refuted results', 'earned ASTRO'],
    [...market.operators]
      .sort(([, left], [, right]) => (left < right ? -1 : 1))
      .map(([operatorId, name]) => [
        name,
        audit.refuted.get(operatorId) ?? 0,
        astro(balanceOf(audit, operatorAccount(operatorId, 'earned'))),
      ]),
  );

  story.chapter('Where the money went (ASTRO)');
  const charged = chargedAtto(audit);
  const rows = [
    ['the client deposited', localTenant.creditAtto],
    ['the client was charged', charged],
    ['  of which operators earned', earnedByOperators(audit)],
    ['  of which the fee', feeAtto(audit)],
    ['    of which was burned', burnedAtto(audit)],
    ['the client still has', localTenant.creditAtto - charged],
    ['sum over all accounts of the ledger', audit.ledgerSumAtto],
  ] as const;
  story.table(
    ['', 'amount'],
    rows.map(([what, amount]) => [what, astro(amount)]),
  );
  if (escrow === undefined) return;
  story.line(
    `\n  On the chain, ${astro(BigInt(escrow.balanceAtto))} ASTRO stand in escrow for the client's address: ` +
      `final, as of block ${escrow.asOfBlock}.`,
  );
}
