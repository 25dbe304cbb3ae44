import type { AccountEvent, InvoiceEvent, InvoiceStatement } from '@astro/messages/billing';

const job1 = { jobId: 'job_1', tenantId: 'tenant_1' };
const job2 = { jobId: 'job_2', tenantId: 'tenant_1' };
const tenantAccount = (kind: string) => `tenant:tenant_1:${kind}`;
const posting = (account: string, amountAtto: bigint) => ({ account, amountAtto });
const charged = (taskId: string): AccountEvent => ({
  type: 'TaskCharged',
  data: {
    ...job1,
    taskId,
    feeBps: 250,
    burnBps: 2000,
    meteredMs: 3000,
    work: ['lease_1', 'lease_2'].map((leaseId, index) => ({
      ...{ leaseId, nodeId: `node_${index + 1}`, operatorId: 'operator_1', meteredMs: 1500 },
      ...{ pricePerSecondAtto: 333n, grossAtto: 500n, feeAtto: index === 0 ? 0n : 25n },
    })),
    postings: [
      posting(tenantAccount('reserved'), -1000n),
      posting('operator:operator_1:earned', 500n),
      posting('operator:operator_1:earned', 475n),
      posting('platform:fees', 20n),
      posting('platform:burned', 5n),
    ],
  },
});
/** The first of its leases has moved something. */
const withTransfer = (event: AccountEvent): AccountEvent => {
  if (event.type !== 'TaskCharged') throw new Error(`${event.type} charges no task`);
  const [first, ...others] = event.data.work;
  const moved = { transferredBytes: 2 ** 31, pricePerGibTransferredAtto: 200n, transferAtto: 400n };
  return { ...event, data: { ...event.data, work: [{ ...first!, ...moved }, ...others] } };
};
const move = (amountAtto: bigint) => [
  posting(tenantAccount('available'), -amountAtto),
  posting(tenantAccount('reserved'), amountAtto),
];
export const credit = 10n ** 30n;
export const billingHistory: readonly AccountEvent[] = [
  {
    type: 'AccountCredited',
    data: {
      tenantId: 'tenant_1',
      creditId: 'credit_1',
      postings: [posting('escrow:custody', -credit), posting(tenantAccount('available'), credit)],
    },
  },
  { type: 'FundsReserved', data: { ...job1, postings: move(5000n) } },
  { type: 'ReservationDeclined', data: { ...job2, requiredAtto: 9n, availableAtto: 1n } },
  charged('task_1'),
  withTransfer(charged('task_2')),
  { type: 'FundsReleased', data: { ...job1, postings: move(-3000n) } },
  {
    type: 'ExitFollowed',
    data: {
      tenantId: 'tenant_2',
      factId: 'fact_1',
      address: '0xa',
      endsExit: true,
      transactionHash: '0xt',
      causePosition: 1,
      postings: [posting('tenant:tenant_2:owed', -5n), posting('escrow:custody', 5n)],
    },
  },
];

const statement: InvoiceStatement = {
  ...{ tenantId: 'tenant_1', month: '1970-01', charges: 2, meteredMs: 6000, totalAtto: 2000n, feeAtto: 50n },
  ...{ fromPosition: 19, toPosition: 22, throughPosition: 28, root: 'ab'.repeat(32) },
};
/** Told since kept content is on invoices. */
const parts = { storageAtto: 500n, burnedAtto: 10n, validatorsAtto: 20n };
const asked = { tenantId: 'tenant_1', requestedAt: new Date(2_000_000) };

/** The charges of a month, a draft, the invoice, and a month that was asked for and that nothing is charged in. */
export const invoicingHistory: readonly (AccountEvent | InvoiceEvent)[] = [
  ...billingHistory,
  { type: 'InvoiceRequested', data: { ...asked, month: '1970-01', draft: 1 } },
  { type: 'InvoiceDrafted', data: { draft: 1, number: 'N-D1', statement } },
  { type: 'InvoiceRequested', data: { ...asked, month: '1970-01', draft: 2 } },
  {
    type: 'InvoiceIssued',
    data: { number: 'N', statement: { ...statement, ...parts }, issuedAt: new Date(3_000_000_000) },
  },
  { type: 'InvoiceRequested', data: { ...asked, month: '1970-02', draft: 1 } },
];
