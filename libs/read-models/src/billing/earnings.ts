import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { Posting, TaskCharged } from '@astro/messages/billing';
import {
  changeOf,
  feeIn,
  ledgerAccountIn,
  operatorAccount,
  postingsIn,
} from '@astro/messages/ledger-accounts';
import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { folding } from '../fold.js';
import type { LedgerEvent } from './ledger.js';

/** What an operator earned with one of its nodes on one day (UTC), by the time at which charges were recorded. */
export const Earning = defineEntity({
  name: 'Earning',
  schema: 'billing',
  tableName: 'earnings',
  indexes: [{ properties: ['operatorId', 'day'] }],
  properties: p => ({
    /** `<operator> <node> <day>` */
    id: p.text().primary(),
    operatorId: p.text(),
    /** Empty for charges that do not tell. */
    nodeId: p.text(),
    /** For example 2026-11-30. */
    day: p.text(),
    /** Charges of leases. */
    charges: p.integer(),
    workMs: p.bigint('number'),
    /** What tenants paid, the part of it that is the fee, and what is left. */
    grossAtto: p.type(Atto),
    feeAtto: p.type(Atto),
    netAtto: p.type(Atto),
    /** Of the last event that was added: an older one, repeated, is not added again. */
    position: p.bigint('number'),
  }),
});
export type Earning = InferEntity<typeof Earning>;

/** What became of all that an operator earned. */
export const OperatorMoney = defineEntity({
  name: 'OperatorMoney',
  schema: 'billing',
  tableName: 'operator_money',
  properties: p => ({
    operatorId: p.text().primary(),
    /** By charges: the sum of its earnings. */
    earnedAtto: p.type(Atto),
    /** Not yet in a batch. */
    pendingAtto: p.type(Atto),
    /** In a batch that the chain has not settled. */
    settlingAtto: p.type(Atto),
    claimableAtto: p.type(Atto),
    claimedAtto: p.type(Atto),
    /** By which batches, whose fee is rounded once, differ from the charges in them. */
    roundedAtto: p.type(Atto),
    position: p.bigint('number'),
  }),
});
export type OperatorMoney = InferEntity<typeof OperatorMoney>;

type Share = Pick<Earning, 'nodeId' | 'charges' | 'workMs' | 'grossAtto' | 'feeAtto' | 'netAtto'> & {
  readonly operatorId: string;
};

const dayOf = (at: Date): string => at.toISOString().slice(0, 'yyyy-mm-dd'.length);
const keyOf = ({ operatorId, nodeId }: Share, at: Date) => `${operatorId} ${nodeId} ${dayOf(at)}`;

/** What is earned by a charge: by each of its leases, or by who keeps content; none of other events. */
function sharesOf({ type, data }: LedgerEvent): readonly Share[] {
  if (type === 'StorageCharged') return untoldShares(data.postings);
  if (type !== 'TaskCharged') return [];
  return data.work.length === 0 ? untoldShares(data.postings) : toldShares(data);
}

const toldShares = ({ work }: TaskCharged): readonly Share[] =>
  work.map(({ operatorId, nodeId, meteredMs: workMs, grossAtto, feeAtto }) => ({
    ...{ operatorId, nodeId, charges: 1, workMs, grossAtto, feeAtto, netAtto: grossAtto - feeAtto },
  }));

/**
 * Of a charge for what is kept, or from before it was told what each lease did: who earned, but neither where nor how
 * long. The fee is borne in proportion, by running totals, so that the parts sum to it.
 */
function untoldShares(postings: readonly Posting[]): readonly Share[] {
  const feeAtto = feeIn(postings);
  const earned = postings.flatMap(({ account, amountAtto: netAtto }) => {
    const owner = ledgerAccountIn(account);
    return owner?.owner === 'operator' && owner.kind === 'earned' ? [{ operatorId: owner.id, netAtto }] : [];
  });
  const allAtto = earned.reduce((sum, { netAtto }) => sum + netAtto, 0n);
  const feeUpTo = (amountAtto: bigint) => (allAtto === 0n ? 0n : (feeAtto * amountAtto) / allAtto);
  let upToAtto = 0n;
  return earned.map(({ operatorId, netAtto }) => {
    const ownFeeAtto = feeUpTo(upToAtto + netAtto) - feeUpTo(upToAtto);
    upToAtto += netAtto;
    const amounts = { grossAtto: netAtto + ownFeeAtto, feeAtto: ownFeeAtto, netAtto };
    return { operatorId, nodeId: '', charges: 1, workMs: 0, ...amounts };
  });
}

const byNodeAndDay = folding<LedgerEvent, Earning>(Earning, {
  keysOf: (event, recordedAt) => [...new Set(sharesOf(event).map(share => keyOf(share, recordedAt)))],
  evolve(earning, { event, recordedAt, position }, id) {
    if (earning !== undefined && earning.position >= position) return earning;
    const own = sharesOf(event).filter(share => keyOf(share, recordedAt) === id);
    const { operatorId, nodeId } = own[0]!;
    const before = earning ?? { ...nothingEarned, id, operatorId, nodeId, day: dayOf(recordedAt) };
    return own.reduce(
      (sum, share): Earning => ({
        ...{ ...sum, charges: sum.charges + share.charges, workMs: sum.workMs + share.workMs },
        ...{ grossAtto: sum.grossAtto + share.grossAtto, feeAtto: sum.feeAtto + share.feeAtto },
        netAtto: sum.netAtto + share.netAtto,
      }),
      { ...before, position },
    );
  },
});

const nothingEarned = { charges: 0, workMs: 0, grossAtto: 0n, feeAtto: 0n, netAtto: 0n };

const byOperator = folding<LedgerEvent, OperatorMoney>(OperatorMoney, {
  keysOf: event => [
    ...new Set(
      postingsIn(event).flatMap(({ account }) => {
        const owner = ledgerAccountIn(account);
        return owner?.owner === 'operator' ? [owner.id] : [];
      }),
    ),
  ],
  evolve(money, { event, position }, operatorId) {
    if (money !== undefined && money.position >= position) return money;
    const before = money ?? { ...noMoney, operatorId };
    const change = (kind: 'earned' | 'settling' | 'claimable') =>
      changeOf(operatorAccount(operatorId, kind), postingsIn(event));
    const [pending, settling, claimable] = [change('earned'), change('settling'), change('claimable')];
    const all = pending + settling + claimable;
    const isEarned = event.type === 'TaskCharged' || event.type === 'StorageCharged';
    const isClaimed = event.type === 'PayoutClaimed';
    return {
      operatorId,
      earnedAtto: before.earnedAtto + (isEarned ? all : 0n),
      pendingAtto: before.pendingAtto + pending,
      settlingAtto: before.settlingAtto + settling,
      claimableAtto: before.claimableAtto + claimable,
      claimedAtto: before.claimedAtto - (isClaimed ? all : 0n),
      roundedAtto: before.roundedAtto + (isEarned || isClaimed ? 0n : all),
      position,
    };
  },
});

const noMoney = {
  ...{ earnedAtto: 0n, pendingAtto: 0n, settlingAtto: 0n, claimableAtto: 0n, claimedAtto: 0n },
  roundedAtto: 0n,
};

export const earnings: Projection<LedgerEvent, EntityManager> = {
  name: 'billing.earnings',
  version: 1,
  tables: ['earnings', 'operator_money'],
  reads: ['billing.account', 'billing.settlement'],
  apply: (em, recorded) => addAll(em, [recorded]),
  applyBatch: addAll,
};

async function addAll(em: EntityManager, batch: readonly Recorded<LedgerEvent>[]): Promise<void> {
  await byNodeAndDay.applyBatch(em, batch);
  await byOperator.applyBatch(em, batch);
}

/** What the operator has, by what became of it. Who never earned anything has nothing. */
export async function moneyOf(
  em: EntityManager,
  operatorId: string,
): Promise<Omit<OperatorMoney, 'position'>> {
  return (await em.findOne(OperatorMoney, { operatorId })) ?? { ...noMoney, operatorId };
}
