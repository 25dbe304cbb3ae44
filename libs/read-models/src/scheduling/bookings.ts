import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type {
  BookedUnit,
  BookingEnd,
  BookingSpec,
  CapacityBooked,
  PoolEvent,
} from '@astro/messages/scheduling';
import { Atto } from '@astro/postgres/atto';
import { storedJson, type StoredJson } from '@astro/postgres/stored-json';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { folding } from '../fold.js';
import { pageOf, rowsFor, timeAndIdIn, type Page, type PageQuery } from '../page.js';

export type BookingStatus = 'booked' | 'confirmed' | 'active' | 'ended';

/** Capacity that tenants have booked, which nodes hold it, and what it costs. */
export const Booking = defineEntity({
  name: 'Booking',
  schema: 'scheduling',
  tableName: 'bookings',
  indexes: [{ properties: ['tenantId', 'createdAt', 'bookingId'] }],
  properties: p => ({
    bookingId: p.text().primary(),
    tenantId: p.text(),
    poolId: p.text(),
    status: p.text().$type<BookingStatus>(),
    /** Why it ended. */
    reason: p.text().$type<BookingEnd>().nullable(),
    spec: p.json<StoredJson<BookingSpec>>(),
    /** Those that no node holds have an empty node and operator. */
    units: p.json<StoredJson<readonly BookedUnit[]>>(),
    amountAtto: p.type(Atto),
    startsAt: p.datetime(),
    endsAt: p.datetime(),
    createdAt: p.datetime(),
    endedAt: p.datetime().nullable(),
    /** Of the last event that changed the row: an older one, repeated, does not change it again. */
    position: p.bigint('number'),
  }),
});
export type Booking = InferEntity<typeof Booking>;

export const bookings: Projection<PoolEvent, EntityManager> = {
  name: 'scheduling.bookings',
  version: 1,
  tables: ['bookings'],
  reads: ['scheduling.pool'],
  ...folding<PoolEvent, Booking>(Booking, {
    keysOf({ type, data }) {
      switch (type) {
        case 'CapacityBooked':
        case 'BookingConfirmed':
        case 'BookingStarted':
        case 'BookingMoved':
        case 'BookingEnded':
          return [data.bookingId];
      }
      return [];
    },
    evolve(booking, recorded) {
      const { event, position } = recorded;
      if (event.type === 'CapacityBooked') return booking ?? booked(event.data, recorded);
      if (booking === undefined || booking.position >= position) return booking;
      return { ...booking, ...changesBy(booking, recorded), position };
    },
  }),
};

const booked = (
  data: CapacityBooked,
  { recordedAt, position }: Pick<Recorded, 'recordedAt' | 'position'>,
): Booking => ({
  bookingId: data.bookingId,
  tenantId: data.tenantId,
  poolId: data.poolId,
  status: 'booked',
  reason: null,
  spec: storedJson(data.spec),
  units: storedJson(data.units),
  amountAtto: data.amountAtto,
  startsAt: data.startsAt,
  endsAt: data.spec.endsAt,
  createdAt: recordedAt,
  endedAt: null,
  position,
});

function changesBy(booking: Booking, { event: { type, data } }: Recorded<PoolEvent>): Partial<Booking> {
  switch (type) {
    case 'BookingConfirmed':
      return { status: 'confirmed' };
    case 'BookingStarted':
      return { status: 'active' };
    case 'BookingEnded':
      return { status: 'ended', reason: data.reason, endedAt: data.endedAt };
    case 'BookingMoved': {
      const moved = new Map(storedJson(data.units).map(unit => [unit.number, unit]));
      const units = booking.units.map(unit => {
        const isAway = data.away.includes(unit.number);
        return moved.get(unit.number) ?? (isAway ? { ...unit, nodeId: '', operatorId: '', held: [] } : unit);
      });
      return { units };
    }
  }
  return {};
}

/** The tenant's booking; another tenant's is as good as none. */
export const findBooking = (em: EntityManager, tenantId: string, bookingId: string) =>
  em.findOne(Booking, { bookingId, tenantId });

export type BookingQuery = PageQuery & { readonly status?: BookingStatus | undefined };

/** The tenant's bookings, newest first. @throws InvalidCursor */
export async function pageOfBookings(
  em: EntityManager,
  tenantId: string,
  { cursor, limit, status }: BookingQuery,
): Promise<Page<Booking>> {
  const rows = await em.find(
    Booking,
    {
      tenantId,
      ...(status === undefined ? {} : { status }),
      ...(cursor === undefined ? {} : olderThan(timeAndIdIn(cursor))),
    },
    { orderBy: { createdAt: 'desc', bookingId: 'desc' }, limit: rowsFor(limit) },
  );
  return pageOf(rows, limit, booking => [booking.createdAt.toISOString(), booking.bookingId]);
}

const olderThan = ([createdAt, bookingId]: readonly [Date, string]) => ({
  $or: [{ createdAt: { $lt: createdAt } }, { createdAt, bookingId: { $lt: bookingId } }],
});
