import { expect, describe, test } from '@jest/globals';
import type { AccountCommand, AccountEvent } from '@astro/messages/billing';
import type { Result } from '@astro/messages/scheduling';
import { account } from './account.js';

const tenantId = 'tenant_1';
const side = (name: string, amountAtto: bigint) => ({ account: `tenant:tenant_1:${name}`, amountAtto });
const history: readonly AccountEvent[] = [
  {
    type: 'AccountCredited',
    data: {
      tenantId,
      creditId: 'first',
      postings: [{ account: 'escrow:custody', amountAtto: -1_000n }, side('available', 1_000n)],
    },
  },
  {
    type: 'FundsReserved',
    data: { tenantId, jobId: 'job_1', postings: [side('available', -400n), side('reserved', 400n)] },
  },
];

const workAt = (pricePerSecondAtto: bigint): Result => ({
  leaseId: 'lease_1',
  nodeId: 'node_1',
  operatorId: 'operator_1',
  fault: 'none',
  digest: 'd',
  outputs: [],
  meteredMs: 1_000,
  pricePerSecondAtto,
});
const fee = { feeBps: 250, burnBps: 2_000 };
const charged = { tenantId, jobId: 'job_1', taskId: 'task_1', ...fee };

/** Every command that carries an amount. */
const commandWith: Readonly<Record<string, (amountAtto: bigint) => AccountCommand>> = {
  CreditAccount: amountAtto => ({
    type: 'CreditAccount',
    data: { tenantId, creditId: 'second', amountAtto },
  }),
  ReserveFunds: amountAtto => ({ type: 'ReserveFunds', data: { tenantId, jobId: 'job_2', amountAtto } }),
  ExtendReservation: amountAtto => ({
    type: 'ExtendReservation',
    data: { tenantId, jobId: 'job_1', number: 1, amountAtto, leastAtto: amountAtto },
  }),
  ChargeTask: price => ({ type: 'ChargeTask', data: { ...charged, work: [workAt(price)] } }),
  ChargePeriod: price => ({
    type: 'ChargePeriod',
    data: { ...charged, chargeNumber: 1, work: workAt(price) },
  }),
  'ChargeTask with transfer': pricePerGibTransferredAtto => ({
    type: 'ChargeTask',
    data: {
      ...charged,
      work: [
        {
          ...{ ...workAt(0n), pricePerGibTransferredAtto },
          transferred: { fetchedBytes: 2 ** 29, uploadedBytes: 2 ** 29 },
        },
      ],
    },
  }),
  ChargeStorage: pricePerGibHourAtto => ({
    type: 'ChargeStorage',
    data: {
      ...{ tenantId, from: new Date(1), through: new Date(2), gibHoursAtto: 10n ** 18n },
      ...{ pricePerGibHourAtto, operatorId: 'operator_1', ...fee },
    },
  }),
  TransferFunds: amountAtto => ({
    type: 'TransferFunds',
    data: {
      tenantId,
      transferId: 'transfer_1',
      toTenantId: 'tenant_2',
      amountAtto,
      currency: 'ASTRO',
      requestedAt: new Date(0),
    },
  }),
  ReceiveTransfers: amountAtto => ({
    type: 'ReceiveTransfers',
    data: { tenantId, transfers: [{ transferId: 'transfer_1', position: 7, amountAtto }] },
  }),
};

/** What the command would post; nothing when it was refused, by whichever way. */
function postedBy(command: AccountCommand) {
  const state = history.reduce((before, event) => account.evolve(before, event), account.initialState);
  const decision = account.decide(command, state);
  if (!decision.accepted) return { refusal: decision.detail, postings: [] };
  const refused = decision.events.find(({ type }) => type === 'ChargeRefused');
  return {
    refusal: refused?.type === 'ChargeRefused' ? refused.data.detail : undefined,
    postings: decision.events.flatMap(({ data }) => ('postings' in data ? data.postings : [])),
  };
}

describe.each(Object.entries(commandWith))('%s', (name, command) => {
  // What was given has left its giver already, whose account has checked its size.
  const isChecked = (amountAtto: bigint) => name !== 'ReceiveTransfers' || amountAtto <= 0n;

  test('of one base unit moves one', () => {
    const { postings } = postedBy(command(1n));
    expect(postings.filter(({ amountAtto }) => amountAtto < 0n).map(posting => posting.amountAtto)).toEqual([
      -1n,
    ]);
  });

  const amounts: readonly (readonly [string, bigint])[] = [
    ['nothing', 0n],
    ['less than nothing', -1n],
    ['the largest number of 256 bits', 2n ** 256n - 1n],
    ['more than 256 bits hold', 2n ** 256n],
    ['less than 256 bits hold', -(2n ** 256n)],
  ];
  test.each(amounts.filter(([, amount]) => isChecked(amount)))('of %s moves nothing', (_what, amountAtto) => {
    const { refusal, postings } = postedBy(command(amountAtto));
    expect(postings).toEqual([]);
    if (amountAtto < 0n) expect(refusal).toMatch(/^\w+: /);
  });
});
