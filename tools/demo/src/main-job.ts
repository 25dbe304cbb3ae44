import { setTimeout as sleep } from 'node:timers/promises';
import { localTenant } from '@astro/devstack/local-market';
import type { Platform } from '@astro/devstack/platform';
import { operatorAccount } from '@astro/messages/ledger-accounts';
import {
  auditEvents,
  balanceOf,
  burnedAtto,
  chargedAtto,
  earnedByOperators,
  feeAtto,
  type Audit,
} from './audit.js';
import { Client } from './client.js';
import { paidInAtto, payIn, type EscrowBalance } from './escrow-deposit.js';
import { trainDigits, type Training } from './federated-training.js';
import { honestNodes, openMarket, type Market } from './market.js';
import { astro, type Story } from './story.js';
import { tellMarket } from './tell-market.js';

const SETTLED_WAIT_MS = 30_000;

/** What the demo found, in the units of its names: the last line of `npm run demo -- --json`. */
export type Report = {
  readonly jobs: number;
  readonly tasks: number;
  readonly succeeded: number;
  readonly leases: number;
  readonly refuted: number;
  readonly accuracy: number;
  readonly chargedAtto: string;
  readonly providersAtto: string;
  readonly feeAtto: string;
  readonly burnedAtto: string;
  readonly ledgerSumAtto: string;
  readonly events: number;
  /** What stands in escrow for the client on the chain; absent where the chain is somebody else's. */
  readonly chain?: {
    readonly escrowDepositedAtto: string;
    readonly asOfBlock: number;
    readonly final: boolean;
  };
  readonly wallMs: number;
};

export type MainJob = {
  readonly market: Market;
  readonly training: Training;
  readonly audit: Audit;
  readonly escrow: EscrowBalance | undefined;
};

/** Opens a market on a running platform, trains the digits over it and audits what happened from the events. */
export async function runMainJob(platform: Platform, story: Story, signal: AbortSignal): Promise<MainJob> {
  const market = await openMarket(platform);
  story.step(
    `${honestNodes} agents of different operators joined, and one more that will lie about its results`,
  );
  const client = new Client(platform.gatewayUrl, market.tenantKey, signal);
  await tellMarket(client, market, story);
  story.step(`a client opened an account and holds ${astro(localTenant.creditAtto)} ASTRO`);

  story.chapter('The job: learn hand-written digits on other people’s machines');
  // The chain takes its time: what is paid in there becomes final while the job runs.
  const [training, escrow] = await Promise.all([
    trainDigits(client, story, market.tenantId),
    platform.chain.isOwn ? payIn(platform, client, market.tenantId) : undefined,
  ]);
  await untilSettled(client);
  const bus = await platform.connectBus('audit');
  return { market, training, escrow, audit: await auditEvents(bus) };
}

/** Throws, naming what is wrong, unless the run kept every promise that the platform makes. */
export function assertPromises({ training, audit, market, escrow }: MainJob): void {
  const broken = [
    audit.ledgerSumAtto !== 0n && `the ledger sums to ${audit.ledgerSumAtto}`,
    audit.unbalanced.length > 0 && `unbalanced transactions: ${audit.unbalanced.join(', ')}`,
    audit.jobsNotEndedOnce.length > 0 && `jobs without exactly one end: ${audit.jobsNotEndedOnce.join(', ')}`,
    audit.succeeded !== audit.tasks && `${audit.succeeded} of ${audit.tasks} tasks succeeded`,
    training.accuracy <= 0.9 && `the accuracy is ${training.accuracy}`,
    balanceOf(audit, operatorAccount(market.liar.operatorId, 'earned')) !== 0n &&
      'the lying operator was paid',
    escrow !== undefined &&
      escrow.balanceAtto !== String(paidInAtto) &&
      `${paidInAtto} were paid in on the chain, and ${escrow.balanceAtto} are seen`,
    chargedAtto(audit) !== earnedByOperators(audit) + feeAtto(audit) && 'charges do not add up',
  ].filter(problem => problem !== false);
  if (broken.length > 0) throw new Error(broken.join('; '));
}

export function reportOf({ training, audit, escrow }: MainJob, wallMs: number): Report {
  return {
    jobs: audit.jobs,
    tasks: audit.tasks,
    succeeded: audit.succeeded,
    leases: audit.leases,
    refuted: [...audit.refuted.values()].reduce((sum, count) => sum + count, 0),
    accuracy: training.accuracy,
    chargedAtto: String(chargedAtto(audit)),
    providersAtto: String(earnedByOperators(audit)),
    feeAtto: String(feeAtto(audit)),
    burnedAtto: String(burnedAtto(audit)),
    ledgerSumAtto: String(audit.ledgerSumAtto),
    events: audit.events,
    ...(escrow && {
      chain: {
        escrowDepositedAtto: escrow.balanceAtto,
        asOfBlock: escrow.asOfBlock,
        final: escrow.final,
      },
    }),
    wallMs,
  };
}

/** The last charges follow the end of the job; nothing stays reserved after them. */
export async function untilSettled(client: Client): Promise<void> {
  const end = Date.now() + SETTLED_WAIT_MS;
  while (Date.now() < end) {
    const account = await client.json<{ reservedAtto: string }>('/v1/account');
    if (account.reservedAtto === '0') return;
    await sleep(100);
  }
  throw new Error('money is still reserved although every job has ended');
}
