import { setTimeout as sleep } from 'node:timers/promises';
import { localTenant } from '@astro/devstack/local-market';
import type { Platform } from '@astro/devstack/platform';
import { readAddresses } from '@astro/chain/deployment/files';
import { EventStore } from '@astro/jetstream/event-store';
import { auditEvents, custodyAtto, type Audit } from './audit.js';
import { sum } from './charges.js';
import { Client } from './client.js';
import { trainDigits, type Training } from './federated-training.js';
import { honestNodes, openMarket, type Market } from './market.js';
import {
  claimFirstPayout,
  heldByEscrow,
  untilAllIsSettled,
  untilFinal,
  type EscrowBalance,
} from './on-chain.js';
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
  /** What the chain has of it; absent where charges are not settled on a chain. */
  readonly chain?: {
    /** What the client paid in, as the platform saw it when it was final. */
    readonly escrowDepositedAtto: string;
    readonly asOfBlock: number;
    readonly final: boolean;
    readonly settledAtto: string;
    /** Of each settled batch. */
    readonly settlements: readonly string[];
    readonly burnedAtto: string;
    readonly toTreasuryAtto: string;
    readonly claimedAtto: string;
    /** Of each claim. */
    readonly claims: readonly string[];
    /** What Escrow holds at the last final block, by the contract and by the ledger. */
    readonly finalBlock: number;
    readonly escrowAtto: string;
    readonly ledgerAtto: string;
  };
  readonly wallMs: number;
};

/** What the chain says itself. */
type OnChain = {
  readonly deposited: EscrowBalance;
  readonly finalBlock: number;
  readonly escrowAtto: bigint;
};

export type MainJob = {
  readonly market: Market;
  readonly training: Training;
  readonly audit: Audit;
  readonly onChain: OnChain | undefined;
};

/** Opens a market on a running platform, trains the digits over it and audits what happened from the events. */
export async function runMainJob(platform: Platform, story: Story, signal: AbortSignal): Promise<MainJob> {
  const market = await openMarket(platform);
  story.step(
    `${honestNodes} agents of different operators joined, and one more that will lie about its results`,
  );
  const client = new Client(platform.gatewayUrl, market.tenantKey, signal);
  await tellMarket(client, market, story);
  const deposited = platform.settles ? await untilFinal(client, market.tenantId) : undefined;
  story.step(
    deposited
      ? `a client paid ${astro(BigInt(deposited.balanceAtto))} ASTRO into Escrow, final in block ${deposited.asOfBlock}`
      : `a client opened an account and holds ${astro(localTenant.creditAtto)} ASTRO`,
  );

  story.chapter('The job: learn hand-written digits on other people’s machines');
  // The chain takes its time: the first batches are settled while the job runs.
  const [training] = await Promise.all([
    trainDigits(client, story, market.tenantId),
    deposited && claimFirstPayout(platform, market, story, signal),
  ]);
  await untilSettled(client);
  const bus = await platform.connectBus('audit');
  if (deposited === undefined) return { market, training, onChain: undefined, audit: await auditEvents(bus) };
  const { chainId } = readAddresses(platform.chain.addressesFile);
  await untilAllIsSettled(new EventStore(bus), market.tenantId, chainId);
  story.step('every charge is settled on the chain for good');
  const onChain = { deposited, ...(await heldByEscrow(platform)) };
  return { market, training, onChain, audit: await auditEvents(bus) };
}

/** Throws, naming what is wrong, unless the run kept every promise that the platform makes. */
export function assertPromises({ training, audit, market, onChain }: MainJob): void {
  const { chargedAtto, feeAtto, earned } = audit.charges;
  const broken = [
    audit.ledgerSumAtto !== 0n && `the ledger sums to ${audit.ledgerSumAtto}`,
    audit.unbalanced.length > 0 && `unbalanced transactions: ${audit.unbalanced.join(', ')}`,
    audit.jobsNotEndedOnce.length > 0 && `jobs without exactly one end: ${audit.jobsNotEndedOnce.join(', ')}`,
    audit.succeeded !== audit.tasks && `${audit.succeeded} of ${audit.tasks} tasks succeeded`,
    training.accuracy <= 0.9 && `the accuracy is ${training.accuracy}`,
    earned.has(market.liar.operatorId) && 'the lying operator was paid',
    chargedAtto !== sum([...earned.values()]) + feeAtto && 'charges do not add up',
    ...(onChain ? promisesOnChain(audit, onChain) : []),
  ].filter(problem => problem !== false);
  if (broken.length > 0) throw new Error(broken.join('; '));
}

const promisesOnChain = (audit: Audit, { deposited, escrowAtto, finalBlock }: OnChain) => [
  deposited.balanceAtto !== String(localTenant.creditAtto) &&
    `${localTenant.creditAtto} were paid in on the chain, and ${deposited.balanceAtto} are seen`,
  audit.settled.settledAtto !== audit.charges.chargedAtto &&
    `${audit.charges.chargedAtto} were charged, and ${audit.settled.settledAtto} are settled`,
  audit.settled.claimedAtto === 0n && 'no payout was claimed',
  escrowAtto !== custodyAtto(audit) &&
    `Escrow holds ${escrowAtto} at block ${finalBlock}, and by the ledger ${custodyAtto(audit)}`,
];

export function reportOf({ training, audit, onChain }: MainJob, wallMs: number): Report {
  const { chargedAtto, feeAtto, burnedAtto, earned } = audit.charges;
  return {
    jobs: audit.jobs,
    tasks: audit.tasks,
    succeeded: audit.succeeded,
    leases: audit.leases,
    refuted: [...audit.refuted.values()].reduce((sum, count) => sum + count, 0),
    accuracy: training.accuracy,
    chargedAtto: String(chargedAtto),
    providersAtto: String(sum([...earned.values()])),
    feeAtto: String(feeAtto),
    burnedAtto: String(burnedAtto),
    ledgerSumAtto: String(audit.ledgerSumAtto),
    events: audit.events,
    ...(onChain && { chain: chainReportOf(audit, onChain) }),
    wallMs,
  };
}

function chainReportOf(audit: Audit, { deposited, finalBlock, escrowAtto }: OnChain): Report['chain'] {
  const { settledAtto, transactions, burnedAtto, toTreasuryAtto, claims, claimedAtto } = audit.settled;
  return {
    escrowDepositedAtto: deposited.balanceAtto,
    asOfBlock: deposited.asOfBlock,
    final: deposited.final,
    settledAtto: String(settledAtto),
    settlements: transactions,
    burnedAtto: String(burnedAtto),
    toTreasuryAtto: String(toTreasuryAtto),
    claimedAtto: String(claimedAtto),
    claims: claims.map(({ transactionHash }) => transactionHash),
    finalBlock,
    escrowAtto: String(escrowAtto),
    ledgerAtto: String(custodyAtto(audit)),
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
