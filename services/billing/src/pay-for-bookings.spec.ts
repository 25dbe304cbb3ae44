import { describe, expect, test } from '@jest/globals';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { AccountCommand, AccountEvent } from '@astro/messages/billing';
import {
  changeOf,
  operatorAccount,
  platformBurned,
  platformFees,
  postingsIn,
  tenantAccount,
} from '@astro/messages/ledger-accounts';
import type { PoolEvent, Result } from '@astro/messages/scheduling';
import { plainRequirements } from '@astro/messages/unconstrained';
import { account } from './account/account.js';
import { payForBookings } from './pay-for-bookings.reactor.js';

const tenantId = 'tenant_1';
const of = { poolId: 'main', bookingId: 'booking_1', tenantId };
const requirements = {
  ...plainRequirements,
  deviceKind: 'cpu',
  cpuMillis: 1,
  memoryMib: 1,
  maxPricePerSecondAtto: 9n,
} as const;
const spec = {
  requirements,
  units: 1,
  topology: 'any',
  hasDistinctOperators: false,
  endsAt: new Date(7_200_000),
} as const;
const booked: PoolEvent = {
  type: 'CapacityBooked',
  data: { ...of, spec, startsAt: new Date(0), units: [], amountAtto: 7_200n * 7n, bookedAt: new Date(0) },
};
const held = (operatorId: string, seconds: number): Result => ({
  leaseId: 'booking_1',
  nodeId: 'node_1',
  operatorId,
  fault: 'none',
  digest: '',
  outputs: [],
  meteredMs: seconds * 1_000,
  pricePerSecondAtto: 7n,
});
const metered: PoolEvent = {
  type: 'BookingMetered',
  data: {
    ...of,
    chargeNumber: 1,
    work: [held('one', 1_200), held('two', 2_000)],
    meteredUntil: new Date(3_600_000),
  },
};
const ended: PoolEvent = {
  type: 'BookingEnded',
  data: {
    ...of,
    reason: 'cancelled',
    chargeNumber: 3,
    work: [held('two', 900)],
    charges: 3,
    revoked: [],
    endedAt: new Date(4_000_000),
  },
};

const reactor = payForBookings(() => ({ feeBps: 250, burnBps: 2_000 }));
const commandsFor = (event: PoolEvent, position: number): readonly AccountCommand[] =>
  reactor.react({ event, position } as Recorded<PoolEvent>).map(({ to, ...command }) => {
    expect(to).toEqual({ type: 'billing.account', id: tenantId });
    return command;
  });

/** Repeated commands change nothing, so that each is given twice. */
function ledgerAfter(availableAtto: bigint, commands: readonly AccountCommand[]): readonly AccountEvent[] {
  const credit: AccountCommand = {
    type: 'CreditAccount',
    data: { tenantId, creditId: 'c', amountAtto: availableAtto },
  };
  const stream: AccountEvent[] = [];
  let state = account.initialState;
  for (const command of [credit, ...commands.flatMap(command => [command, command])]) {
    const decision = account.decide(command, state);
    if (!decision.accepted) throw new Error(`${command.type}: ${decision.rejection}`);
    stream.push(...decision.events);
    state = decision.events.reduce(account.evolve, state);
  }
  return stream;
}
const balanceIn = (stream: readonly AccountEvent[], name: string) =>
  stream.reduce((sum, event) => sum + changeOf(name, postingsIn(event)), 0n);

describe('a booking', () => {
  const all = [booked, metered, ended].flatMap((event, index) => commandsFor(event, index + 1));

  test('sets all of it aside, pays who held it less the fee, and gives the rest back', () => {
    const stream = ledgerAfter(100_000n, all);
    const chargedAtto = (1_200n + 2_000n + 900n) * 7n;
    expect(balanceIn(stream, tenantAccount(tenantId, 'reserved'))).toBe(0n);
    expect(balanceIn(stream, tenantAccount(tenantId, 'available'))).toBe(100_000n - chargedAtto);
    const fees = [platformFees, platformBurned].map(name => balanceIn(stream, name));
    const earned = ['one', 'two'].map(id => balanceIn(stream, operatorAccount(id, 'earned')));
    expect(earned).toEqual([8_400n - 210n, 14_000n - 350n + 6_300n - 157n]);
    expect([...fees, ...earned].reduce((sum, amount) => sum + amount, 0n)).toBe(chargedAtto);
  });

  test('that cannot be paid is declined, and holds nothing', () => {
    const stream = ledgerAfter(50_399n, commandsFor(booked, 1));
    expect(stream.at(-1)).toMatchObject({ type: 'ReservationDeclined', data: { jobId: 'booking_1' } });
  });

  test('whose end overtakes its charges is released after the last of them', () => {
    const [reserve, ...charges] = all;
    const release = charges.pop()!;
    const stream = ledgerAfter(100_000n, [reserve!, release, ...charges.reverse()]);
    expect(stream.at(-1)!.type).toBe('FundsReleased');
    expect(balanceIn(stream, tenantAccount(tenantId, 'reserved'))).toBe(0n);
  });

  test('other events of the pool cost nothing', () =>
    expect(commandsFor({ type: 'BookingConfirmed', data: of }, 1)).toEqual([]));
});
