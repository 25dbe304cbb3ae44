import { z } from 'zod';
import { atto } from '../http/fields.js';
import { pageOf, pageQuery } from '../http/page.js';
import { requirements } from '../jobs/requirements.schema.js';

export const UNITS_MAX = 64;

/** What lies before 1970 is no time to the bus; all that is past is refused by whoever knows what is now. */
const wholeSecond = z.iso
  .datetime()
  .refine(text => new Date(text).getTime() % 1_000 === 0, 'must be a whole second')
  .refine(text => new Date(text).getTime() >= 0, 'must not be past');

const topology = z.enum(['any', 'node', 'region', 'fabric']);

export const reservationRequest = z
  .strictObject({
    requirements,
    units: z.int().min(1).max(UNITS_MAX).default(1).meta({ description: 'So many times the requirements' }),
    topology: topology.default('any').meta({ description: 'What all units must share' }),
    distinctOperators: z
      .boolean()
      .default(false)
      .meta({ description: 'Each unit is with another operator, as jobs with a quorum need it' }),
    startsAt: wholeSecond
      .optional()
      .meta({ description: 'A whole second, at most 30 days ahead; absent: the next second' }),
    endsAt: wholeSecond.meta({ description: 'A whole second, 1 minute to 30 days after the start' }),
  })
  .refine(({ startsAt, endsAt }) => startsAt === undefined || new Date(startsAt) < new Date(endsAt), {
    path: ['endsAt'],
    message: 'must be after startsAt',
  })
  .meta({
    id: 'ReservationRequest',
    example: {
      requirements: {
        deviceKind: 'gpu',
        deviceModel: 'A100',
        cpuMillis: 8_000,
        memoryMib: 65_536,
        maxPricePerSecondAtto: '1000000000000000',
      },
      units: 2,
      startsAt: '2030-01-01T08:00:00Z',
      endsAt: '2030-01-01T20:00:00Z',
    },
  });
export type ReservationRequest = z.output<typeof reservationRequest>;

const unit = z.object({
  number: z.int(),
  nodeId: z.string().optional().meta({ description: 'Absent while no node holds it: then it costs nothing' }),
  operatorId: z.string().optional(),
  pricePerSecondAtto: atto.meta({ description: 'Locked for the whole time' }),
});

/** What the pool answers to a plan. */
export const planAnswer = z.object({
  isAvailable: z.boolean().meta({ description: 'Whether there is room for all units' }),
  startsAt: z.iso.datetime(),
  units: z.array(unit).meta({ description: 'Which nodes would hold them, and at what price' }),
  amountAtto: atto.meta({ description: 'What all units cost from the start to the end, used or not' }),
  nodes: z.int(),
  eligibleNodes: z.int().meta({ description: 'Nodes that could hold a unit if they were idle' }),
  excluded: z
    .record(z.string(), z.int())
    .meta({ description: 'For each rule, the nodes that it excludes whatever their load' }),
});
export const reservationPlan = planAnswer.meta({ id: 'ReservationPlan' });

const status = z.enum(['booked', 'confirmed', 'active', 'ended']).meta({
  description: 'booked: the money is not set aside yet; confirmed: it is; active: it has started',
});

export const reservation = z
  .object({
    id: z.string().meta({ example: 'booking_01h455vb4pex5vsknk084sn02q' }),
    status,
    reason: z
      .enum(['completed', 'cancelled', 'insufficient_funds', 'unpaid'])
      .optional()
      .meta({ description: 'Why it ended' }),
    requirements,
    units: z.array(unit),
    topology,
    distinctOperators: z.boolean(),
    startsAt: z.iso.datetime(),
    endsAt: z.iso.datetime(),
    amountAtto: atto.meta({ description: 'The commitment: what it costs as a whole, used or not' }),
    chargedAtto: atto.meta({ description: 'Charged until now' }),
    bookedAt: z.iso.datetime(),
    endedAt: z.iso.datetime().optional(),
  })
  .meta({ id: 'Reservation' });
export type Reservation = z.infer<typeof reservation>;

export const reservationPage = pageOf(reservation.omit({ chargedAtto: true })).meta({
  id: 'ReservationPage',
});
export const reservationsQuery = pageQuery.extend({ status: status.optional() });
export const reservationPath = {
  id: z.string().meta({ description: 'Id of a reservation', example: 'booking_01h455vb4pex5vsknk084sn02q' }),
};
export const location = z.string().meta({ example: '/v1/reservations/booking_01h455vb4pex5vsknk084sn02q' });
const pending = z.object({ id: z.string() }).meta({ id: 'PendingReservation' });
export type Pending = z.infer<typeof pending>;
export const notKnownYet = {
  description: 'Taken, but what became of it is not known yet: read the reservation at Location',
  schema: pending,
  headers: { Location: location },
};
export const nothing = z.strictObject({}).nullish();
