import type { Budget } from '@astro/messages/billing';
import type { NumberedCharges } from './numbered-charges.js';
import { nothingRemembered, type Remembered } from './remembered.js';

/** What budgets count a job by. */
export type JobScope = { readonly project?: string | undefined; readonly apiKeyId?: string | undefined };
/** An amount, and what of it is enough where there is less. */
export type WantedFunds = { readonly amountAtto: bigint; readonly leastAtto: bigint };

/** Money set aside for one job that has not been released. Changed in place, as the account is. */
export type Reservation = {
  /** What was asked for at first. */
  readonly amountAtto: bigint;
  /** What charges have left of it. */
  leftAtto: bigint;
  /** Those written off among them. */
  readonly chargedTasks: Set<string>;
  /** Of a service, whose charges are numbered. */
  periods?: NumberedCharges;
  /** Charges that cannot be made until somebody does something about it. */
  readonly refusedCharges: Set<string>;
  /** Number of the last extension that was asked for. */
  extensions: number;
  /** What it asked for, while there is no money for it. */
  waitsFor?: WantedFunds;
  /** Set once the job has ended: how many charges must be in before the rest is released. */
  expectedCharges?: number;
  /** Position of the event that it follows from. */
  readonly causePosition?: number;
  readonly scope: JobScope;
};

/** A job for which nothing is set aside any more, or never was. */
export type Settled =
  | { readonly outcome: 'declined'; readonly amountAtto: bigint }
  | { readonly outcome: 'ended-before-reserved' }
  | {
      readonly outcome: 'released';
      readonly amountAtto: bigint;
      readonly chargedTasks: ReadonlySet<string>;
      readonly periods?: NumberedCharges;
    };

export type Transferred = { readonly toTenantId: string; readonly amountAtto: bigint };

/** What the tenant asked to be paid out. */
export type Withdrawal = { readonly address: string; readonly amountAtto: bigint };

/** A budget and where it stands. Changed in place, as the account is. */
export type BudgetAccount = {
  budget: Budget;
  /** In milliseconds; of the last period in which anything was counted, so that what comes late counts there. */
  periodStart: number;
  spentAtto: bigint;
  committedAtto: bigint;
  /** Thresholds of this amount that were told in this period. */
  readonly told: Set<number>;
  /** Whether it was told in this period that more than this amount is committed. */
  isCommitmentTold: boolean;
};

/** Belongs to `evolve`, which changes it in place. */
export type Account = {
  tenantId?: string;
  availableAtto: bigint;
  /** What all open reservations have left. */
  reservedAtto: bigint;
  readonly open: Map<string, Reservation>;
  /** Those of them that wait for money, the one that has waited longest first. */
  readonly waiting: Set<string>;
  readonly settled: Remembered<Settled>;
  /** Amount of every credit. */
  readonly credits: Remembered<bigint>;
  readonly transfers: Remembered<Transferred>;
  /** What the tenant took out on the chain beyond what it could spend. */
  owedAtto: bigint;
  /** Withdrawals that the chain has not paid, by their ids. */
  readonly leaving: Map<string, Withdrawal>;
  readonly withdrawals: Remembered<Withdrawal>;
  /** What is locked for the announcement of each address. */
  readonly exits: Map<string, bigint>;
  /** Facts of the chain that were followed. */
  readonly facts: Remembered<true>;
  /** How far the keeping of content was charged, and what of it could not be paid. */
  storage: { readonly throughMs: number; readonly dueAtto: bigint };
  /** Position of the last transfer to this account that was received. */
  receivedThrough: number;
  readonly budgets: Map<string, BudgetAccount>;
  /** The tenant wants to be told when it can spend less. */
  lowBalance?: { readonly amountAtto: bigint; isTold: boolean };
};

/** How much an account remembers; see `remembered.ts` for what becomes of the rest. */
export type Memory = {
  readonly credits: number;
  readonly transfers: number;
  readonly withdrawals: number;
  readonly facts: number;
  /** Settled jobs and their charged tasks together. */
  readonly settled: number;
};

export const emptyAccount = (): Account => ({
  availableAtto: 0n,
  reservedAtto: 0n,
  open: new Map(),
  waiting: new Set(),
  settled: nothingRemembered(),
  credits: nothingRemembered(),
  transfers: nothingRemembered(),
  receivedThrough: 0,
  storage: { throughMs: 0, dueAtto: 0n },
  owedAtto: 0n,
  leaving: new Map(),
  withdrawals: nothingRemembered(),
  exits: new Map(),
  facts: nothingRemembered(),
  budgets: new Map(),
});

/** What can be reserved, given away or paid out: what is owed to the chain comes first. */
export const spendableAtto = ({
  availableAtto,
  owedAtto,
}: Pick<Account, 'availableAtto' | 'owedAtto'>): bigint =>
  availableAtto > owedAtto ? availableAtto - owedAtto : 0n;

/** @throws Error when the history is broken */
export function openReservation(account: Account, jobId: string): Reservation {
  const reservation = account.open.get(jobId);
  if (!reservation)
    throw new Error(`the history of ${account.tenantId} has no open reservation for ${jobId}`);
  return reservation;
}
