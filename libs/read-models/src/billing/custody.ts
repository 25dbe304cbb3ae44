import { idIn } from '@astro/chain/payouts/ids';
import type { Projection } from '@astro/event-sourcing/projection';
import type { AccountEvent, EscrowEvent, EscrowFact, SettlementEvent } from '@astro/messages/billing';
import { factIn, placeOf } from '@astro/messages/fact-id';
import { changeOf, escrowCustody, postingsIn } from '@astro/messages/ledger-accounts';
import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { folding } from '../fold.js';

/**
 * What changed the money that Escrow holds, and what the ledger has booked for it: one row for each change, by what
 * both sides call it, and one for all together.
 */
export const CustodyEntry = defineEntity({
  name: 'CustodyEntry',
  schema: 'billing',
  tableName: 'custody_entries',
  indexes: [{ properties: ['differs', 'changedAt', 'reference'] }],
  properties: p => ({
    /** `<transaction>:<log>`, `<batch>`, `<batch>-<index>`, `<tenant>/<credit>`, a type of event, or `total`. */
    reference: p.text().primary(),
    /** Whether the ledger has to book it: what belongs to no tenant stays with the chain alone. */
    isOurs: p.boolean(),
    /** By how much Escrow holds more since, by the chain's final facts; negative when it has paid. */
    chainAtto: p.type(Atto),
    /** By how much the ledger says that it does. */
    ledgerAtto: p.type(Atto),
    differs: p.boolean(),
    /** Of the last final block that has changed it. */
    blockNumber: p.bigint('number'),
    changedAt: p.datetime(),
    /** Of the last event that was added: an older one, repeated, is not added again. */
    position: p.bigint('number'),
  }),
});
export type CustodyEntry = InferEntity<typeof CustodyEntry>;

/** The row of all changes together. */
const total = 'total';

type CustodyEvent = AccountEvent | EscrowEvent | SettlementEvent;
type Change = {
  readonly reference: string;
  readonly chainAtto?: bigint;
  readonly ledgerAtto?: bigint;
  readonly isOurs: boolean;
};

export const custody: Projection<CustodyEvent, EntityManager> = {
  name: 'billing.custody',
  version: 1,
  tables: ['custody_entries'],
  reads: ['billing.escrow', 'billing.account', 'billing.settlement'],
  ...folding<CustodyEvent, CustodyEntry>(CustodyEntry, {
    keysOf(event) {
      const references = new Set(changesBy(event).map(({ reference }) => reference));
      return references.size === 0 ? [] : [...references, total];
    },
    evolve(entry, { event, position, recordedAt: changedAt }, reference) {
      if (entry !== undefined && entry.position >= position) return entry;
      const changes = changesBy(event).filter(
        change => reference === total || change.reference === reference,
      );
      const block = event.type === 'EscrowBlockFinal' ? event.data.number : 0;
      const before = entry ?? { reference, ...nothing };
      const chainAtto = sum(before.chainAtto, changes, 'chainAtto');
      const ledgerAtto = sum(before.ledgerAtto, changes, 'ledgerAtto');
      const isOurs = before.isOurs || changes.some(change => change.isOurs);
      const differs = reference !== total && isOurs && chainAtto !== ledgerAtto;
      const blockNumber = Math.max(before.blockNumber, block);
      return { ...before, isOurs, chainAtto, ledgerAtto, differs, blockNumber, changedAt, position };
    },
  }),
};

const nothing = { isOurs: false, chainAtto: 0n, ledgerAtto: 0n, differs: false, blockNumber: 0 } as const;

const sum = (from: bigint, changes: readonly Change[], side: 'chainAtto' | 'ledgerAtto'): bigint =>
  changes.reduce((all, change) => all + (change[side] ?? 0n), from);

function changesBy({ type, data }: CustodyEvent): readonly Change[] {
  switch (type) {
    case 'EscrowBlockFinal':
      return data.facts.flatMap(onChain);
    // Facts that were nobody's have an owner now; what they changed has been counted.
    case 'WalletRecognised':
      return data.facts.flatMap(onChain).map(change => ({ ...change, chainAtto: 0n }));
    case 'AccountCredited':
      return booked(creditReference(data.tenantId, data.creditId), data.postings);
    case 'WithdrawalPaid':
    case 'ExitFollowed':
      return booked(factIn(data.factId)?.place ?? data.factId, data.postings);
    case 'BatchSettled':
      return booked(data.batchId, data.postings);
    case 'PayoutClaimed':
      return booked(payoutReference(data.batchId, data.index), data.postings);
  }
  // Nothing else has any business with custody: what it books there differs from the chain for good.
  const strays = booked(type, postingsIn({ data }));
  return strays.filter(({ ledgerAtto }) => ledgerAtto !== 0n);
}

type Postings = Parameters<typeof changeOf>[1];

const booked = (reference: string, postings: Postings): readonly Change[] => [
  { reference, ledgerAtto: -changeOf(escrowCustody, postings), isOurs: true },
];

function onChain(fact: EscrowFact): readonly Change[] {
  const { kind, amountAtto, ownerId, index } = fact;
  const reference = placeOf(fact);
  const isOurs = ownerId.startsWith('tenant_');
  const batchId = kind === 'settled' || kind === 'claimed' ? idIn(fact.reference) : undefined;
  switch (kind) {
    case 'deposited':
      return [{ reference, chainAtto: amountAtto, isOurs }];
    case 'refunded':
    case 'withdrawn':
      return [{ reference, chainAtto: -amountAtto, isOurs }];
    case 'settled': {
      const { burnedAtto, toTreasuryAtto, toValidatorsAtto = 0n } = fact;
      const feeAtto = burnedAtto + toTreasuryAtto + toValidatorsAtto;
      return [{ reference: batchId ?? reference, chainAtto: -feeAtto, isOurs: true }];
    }
    case 'claimed': {
      const payout = batchId === undefined ? reference : payoutReference(batchId, index);
      return [{ reference: payout, chainAtto: -amountAtto, isOurs: true }];
    }
    case 'unspecified':
    case 'withdrawal_announced':
    case 'fee_set':
    case 'burn_share_set':
    case 'validator_share_set':
      return [];
  }
}

const payoutReference = (batchId: string, index: number): string => `${batchId}-${index}`;

/** A credit that the chain has told of is called as the chain calls it. */
const creditReference = (tenantId: string, creditId: string): string =>
  factIn(creditId)?.place ?? `${tenantId}/${creditId}`;

/** What both sides say at the same moment. */
export type CustodyTotals = Pick<CustodyEntry, 'chainAtto' | 'ledgerAtto' | 'blockNumber'>;

export async function custodyTotals(em: EntityManager): Promise<CustodyTotals> {
  return (await em.findOne(CustodyEntry, { reference: total })) ?? nothing;
}

/** Changes that one side has and the other has not, or otherwise; those first that have been so for longest. */
export const differing = (em: EntityManager, limit: number): Promise<CustodyEntry[]> =>
  em.find(CustodyEntry, { differs: true }, { orderBy: { changedAt: 'asc', reference: 'asc' }, limit });
