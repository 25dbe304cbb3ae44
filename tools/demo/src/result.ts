import { localTenant } from '@astro/devstack/local-market';
import { custodyAtto } from './audit.js';
import { sum } from './charges.js';
import type { MainJob } from './main-job.js';
import { astro, type Story } from './story.js';

/** What happened and where the money went, added up from the events alone. */
export function tellResult({ market, training, audit, onChain }: MainJob, story: Story): void {
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
        astro(audit.charges.earned.get(operatorId) ?? 0n),
      ]),
  );

  const { chargedAtto, feeAtto, burnedAtto, earned } = audit.charges;
  story.chapter('Where the money went (ASTRO)');
  tellAmounts(story, [
    ['the client deposited', localTenant.creditAtto],
    ['the client was charged', chargedAtto],
    ['  of which operators earned', sum([...earned.values()])],
    ['  of which the fee', feeAtto],
    ['    of which was burned', burnedAtto],
    ['the client still has', localTenant.creditAtto - chargedAtto],
    ['sum over all accounts of the ledger', audit.ledgerSumAtto],
  ]);
  if (onChain) tellChain(audit, onChain, story);
}

/** The same money, as the chain has it. */
function tellChain(
  audit: MainJob['audit'],
  { deposited, finalBlock, escrowAtto }: NonNullable<MainJob['onChain']>,
  story: Story,
): void {
  const { settledAtto, transactions, burnedAtto, toTreasuryAtto, claimedAtto } = audit.settled;
  story.chapter('What of it the chain has (ASTRO)');
  tellAmounts(story, [
    ['the client deposited', BigInt(deposited.balanceAtto)],
    [`charges settled in ${transactions.length} batches`, settledAtto],
    ['  of which operators claimed', claimedAtto],
    ['  of which the treasury has', toTreasuryAtto],
    ['  of which was burned', burnedAtto],
    [`Escrow holds in final block ${finalBlock}`, escrowAtto],
    ['and should by the ledger', custodyAtto(audit)],
  ]);
  story.line(`\n  The last batch was settled by ${transactions.at(-1)}.`);
}

function tellAmounts(story: Story, rows: readonly (readonly [what: string, amountAtto: bigint])[]): void {
  story.table(
    ['', 'amount'],
    rows.map(([what, amountAtto]) => [what, astro(amountAtto)]),
  );
}
