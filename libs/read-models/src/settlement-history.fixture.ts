import type { SettlementEvent } from '@astro/messages/billing';

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
