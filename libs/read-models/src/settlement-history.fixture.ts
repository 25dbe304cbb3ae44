import type { AccountEvent, SettlementEvent } from '@astro/messages/billing';
import { billingHistory } from './billing-history.fixture.js';

const terms = { feeBps: 250, burnBps: 2_000 };
const sealed = (number: number): SettlementEvent => ({
  type: 'BatchSealed',
  data: {
    ...{
      batchId: `batch_${number}`,
      chainId: 1,
      number,
      fromPosition: number,
      toPosition: number + 1,
      ...terms,
    },
    ...{ chargedAt: new Date(0), root: '0xroot', netAtto: 30n, burnedAtto: 1n, toTreasuryAtto: 2n },
    ...{ debits: [], heldBack: [], takenUp: [] },
    payouts: [
      { operatorId: 'operator_1', address: '0xaa', amountAtto: 10n },
      { operatorId: 'operator_2', address: '0xbb', amountAtto: 20n },
    ],
    postings: [
      { account: 'operator:operator_1:earned', amountAtto: -10n },
      { account: 'operator:operator_1:settling', amountAtto: 10n },
    ],
  },
});

export const settlementHistory: readonly SettlementEvent[] = [
  sealed(1),
  { type: 'BatchSettled', data: { batchId: 'batch_1', transactionHash: '0xt1', postings: [] } },
  sealed(2),
  {
    type: 'PayoutClaimed',
    data: {
      ...{ batchId: 'batch_1', index: 0, operatorId: 'operator_1', address: '0xaa', amountAtto: 10n },
      ...{ transactionHash: '0xt2', postings: [] },
    },
  },
];

const [charged] = billingHistory.filter(event => event.type === 'TaskCharged');
const move = (amounts: Readonly<Record<string, bigint>>) =>
  Object.entries(amounts).map(([kind, amountAtto]) => ({
    account: kind === 'custody' ? 'escrow:custody' : `operator:operator_1:${kind}`,
    amountAtto,
  }));
const [batch] = settlementHistory as readonly [Extract<SettlementEvent, { type: 'BatchSealed' }>];

/** Two charges are paid out, of which the batch rounds two base units away; one that does not tell its leases waits. */
export const earningsHistory: readonly (AccountEvent | SettlementEvent)[] = [
  ...billingHistory,
  {
    ...batch,
    data: { ...batch.data, postings: move({ earned: -1950n, settling: 1948n }) },
  },
  {
    type: 'BatchSettled',
    data: {
      batchId: 'batch_1',
      transactionHash: '0xt1',
      postings: move({ settling: -1948n, claimable: 1948n }),
    },
  },
  {
    type: 'PayoutClaimed',
    data: {
      ...{ batchId: 'batch_1', index: 0, operatorId: 'operator_1', address: '0xaa', amountAtto: 1900n },
      ...{ transactionHash: '0xt2', postings: move({ claimable: -1900n, custody: 1900n }) },
    },
  },
  { type: 'TaskCharged', data: { ...charged!.data, taskId: 'task_9', work: [] } },
];
