import { bytes32Of } from '@astro/chain/payouts/ids';
import type { AccountEvent, EscrowEvent, EscrowFact, SettlementEvent } from '@astro/messages/billing';
import { escrowCustody } from '@astro/messages/ledger-accounts';

const batchId = `batch_${'0'.repeat(26)}`;
const hashOf = (digit: number) => `0x${String(digit).repeat(64)}`;
const fact = (changes: Partial<EscrowFact> & Pick<EscrowFact, 'kind'>): EscrowFact => ({
  ...{ transactionHash: hashOf(1), logIndex: 0, address: '0xaa', amountAtto: 0n, burnedAtto: 0n },
  ...{ toTreasuryAtto: 0n, reference: '', root: '', index: 0, bps: 0, ownerId: '' },
  ...changes,
});
const final = (number: number, ...facts: EscrowFact[]): EscrowEvent => ({
  type: 'EscrowBlockFinal',
  data: { position: number, number, hash: hashOf(9), time: new Date(0), facts },
});
const booking = (ledgerAtto: bigint) => [
  { account: escrowCustody, amountAtto: -ledgerAtto },
  { account: 'tenant:tenant_1:available', amountAtto: ledgerAtto },
];
const deposit = fact({ kind: 'deposited', amountAtto: 100n });

/** What the chain and the ledger call the first deposit. */
export const depositReference = `${hashOf(1)}:0`;
export const refundReference = `${hashOf(2)}:0`;

/**
 * A deposit whose address is recognised afterwards, one of nobody's, a batch that is settled and claimed; a credit
 * that the chain knows nothing of, a refund that the ledger has not booked, and a charge that booked what it must not.
 */
export const custodyHistory: readonly (AccountEvent | EscrowEvent | SettlementEvent)[] = [
  final(5, deposit, fact({ kind: 'deposited', logIndex: 1, address: '0xbb', amountAtto: 7n })),
  {
    type: 'WalletRecognised',
    data: { address: '0xaa', ownerId: 'tenant_1', facts: [{ ...deposit, ownerId: 'tenant_1' }] },
  },
  {
    type: 'AccountCredited',
    data: { tenantId: 'tenant_1', creditId: `1:${depositReference}`, postings: booking(100n) },
  },
  {
    type: 'AccountCredited',
    data: { tenantId: 'tenant_1', creditId: 'credit_1', postings: booking(50n) },
  },
  final(
    8,
    fact({
      kind: 'settled',
      reference: bytes32Of(batchId),
      amountAtto: 30n,
      burnedAtto: 1n,
      toTreasuryAtto: 2n,
      toValidatorsAtto: 5n,
    }),
    fact({ kind: 'claimed', logIndex: 3, reference: bytes32Of(batchId), amountAtto: 30n }),
    fact({ kind: 'refunded', transactionHash: hashOf(2), amountAtto: 4n, ownerId: 'tenant_1' }),
  ),
  { type: 'BatchSettled', data: { batchId, transactionHash: hashOf(3), postings: booking(-8n) } },
  {
    type: 'PayoutClaimed',
    data: {
      ...{ batchId, index: 0, operatorId: 'operator_1', address: '0xcc', amountAtto: 30n },
      ...{ transactionHash: hashOf(4), postings: booking(-30n) },
    },
  },
  {
    type: 'TaskCharged',
    data: {
      ...{ tenantId: 'tenant_1', jobId: 'job_1', taskId: 'task_1', feeBps: 250, burnBps: 2_000 },
      ...{ meteredMs: 1, work: [], postings: booking(-1n) },
    },
  },
];
