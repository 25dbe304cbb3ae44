import type { BookingSpec, JobSpec, PoolCommand, PoolEvent, Requirements } from '@astro/messages/scheduling';
import { admit, after, at, poolId, specOf, withdraw } from '../pool-examples.js';

/** Examples that the specs of bookings share. */
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

/** Half of an example node: one core of two. From one hour after the beginning on, for two. */
export const bookingOf = (
  change: Partial<BookingSpec> = {},
  requirements: Partial<Requirements> = {},
): BookingSpec => ({
  requirements: { ...specOf(['x'], { maxPricePerSecondAtto: 100n, ...requirements }).requirements },
  units: 1,
  topology: 'any',
  hasDistinctOperators: false,
  startsAt: at(HOUR),
  endsAt: at(3 * HOUR),
  ...change,
});

export const book = (
  bookingId = 'booking_1',
  spec = bookingOf(),
  now = at(0),
  tenantId = 'tenant_1',
): PoolCommand => ({ type: 'BookCapacity', data: { poolId, bookingId, tenantId, spec, now } });
export const confirm = (bookingId = 'booking_1'): PoolCommand => ({
  type: 'ConfirmBooking',
  data: { poolId, bookingId },
});
export const cancel = (when: Date, bookingId = 'booking_1', tenantId = 'tenant_1'): PoolCommand => ({
  type: 'CancelBooking',
  data: { poolId, bookingId, tenantId, at: when },
});
export const leaves = (nodeId: string, when: Date): PoolCommand => {
  const { data } = withdraw(nodeId) as Extract<PoolCommand, { type: 'WithdrawNode' }>;
  return { type: 'WithdrawNode', data: { ...data, at: when } };
};
export const comes = (nodeId: string, when: Date): PoolCommand => {
  const { data } = admit(nodeId) as Extract<PoolCommand, { type: 'AdmitNode' }>;
  return { type: 'AdmitNode', data: { ...data, at: when } };
};

/** A job that runs in the booking, for at most ten seconds. */
export const citing = (taskIds: readonly string[], bookingId = 'booking_1', cpuMillis = 1_000): JobSpec => ({
  ...specOf(taskIds, { cpuMillis }, 1),
  leaseClass: 'reserved',
  bookingId,
});
/** A job of everybody's capacity, for at most so long. */
export const lasting = (
  taskIds: readonly string[],
  timeLimitMs: number,
  leaseClass: JobSpec['leaseClass'] = 'on_demand',
  cpuMillis = 2_000,
): JobSpec => {
  const spec = specOf(taskIds, { cpuMillis, maxPricePerSecondAtto: 100n }, 1);
  return { ...spec, leaseClass, program: { ...spec.program, timeLimitMs } };
};

/** What the last of the commands led to. */
export const lastOf = (...commands: readonly PoolCommand[]): readonly PoolEvent[] =>
  after(...commands).events.slice(after(...commands.slice(0, -1)).events.length);

type Of<Type extends PoolEvent['type']> = Extract<PoolEvent, { type: Type }>['data'];
export const only = <Type extends PoolEvent['type']>(
  type: Type,
  events: readonly PoolEvent[],
): readonly Of<Type>[] => events.flatMap(event => (event.type === type ? [event.data as Of<Type>] : []));
