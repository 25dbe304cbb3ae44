import { isId } from '@astro/event-sourcing/ids';
import type { Directed } from '@astro/event-sourcing/reactor';
import type { BookingSpec, PoolCommand } from '@astro/messages/scheduling';
import { pageOfBookings } from '@astro/read-models/scheduling/bookings';
import { Body, Controller, HttpCode, Inject, Param, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { Commands } from '../commands.js';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { decodeCursor } from '../http/cursor.js';
import { toPage } from '../http/page.js';
import { Problem } from '../http/problem.js';
import { derivedFrom } from '../http/request-ids.js';
import { PoolQuestions } from '../jobs/pool-questions.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { assertAccepted } from '../rejections.js';
import { findReservation, toReservation } from './reservation-resource.js';
import { toRequirements } from '../jobs/requirements.schema.js';
import * as schema from './reservations.schema.js';

/** Capacity that a tenant books ahead: it is kept for the tenant's jobs that cite it, and paid whether used or not. */
@Controller()
export class ReservationsController {
  constructor(
    private readonly commands: Commands,
    private readonly questions: PoolQuestions,
    private readonly readModels: ReadModels,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  @Operation('POST', '/v1/reservations', {
    summary: 'Reserve capacity from a start to an end',
    description:
      'The price is locked, and all of it is set aside at once and charged by the hour, used or not. Jobs of ' +
      'leaseClass `reserved` that cite its id run in it for nothing more.',
    callers: ['tenant'],
    body: schema.reservationRequest,
    answers: {
      201: { description: 'Reserved', schema: schema.reservation, headers: { Location: schema.location } },
      202: schema.notKnownYet,
    },
    problems: [
      'capacity_unavailable',
      'too_many_reservations',
      'reservation_exists',
      'reservation_has_ended',
      'command_refused',
    ],
  })
  async book(
    @Body() body: schema.ReservationRequest,
    @FromCaller() { id: tenantId }: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<schema.Reservation | schema.Pending> {
    const bookingId = derivedFrom(request, 'booking');
    const data = { ...this.inPool(tenantId), bookingId, spec: specOf(body), now: new Date() };
    reply.status(201).header('location', `/v1/reservations/${bookingId}`);
    return this.execute({ type: 'BookCapacity', data }, request, reply);
  }

  @HttpCode(200)
  @Operation('POST', '/v1/reservations/plan', {
    summary: 'Plan a reservation without making it',
    description: 'Which nodes would hold it, and what it would cost.',
    callers: ['tenant'],
    body: schema.reservationRequest,
    answers: { 200: { description: 'The plan', schema: schema.reservationPlan } },
    problems: ['too_many_reservations', 'pool_unavailable', 'command_refused'],
  })
  plan(
    @Body() body: schema.ReservationRequest,
    @FromCaller() { id: tenantId }: Caller,
    @Req() request: FastifyRequest,
  ): Promise<z.infer<typeof schema.reservationPlan>> {
    const data = { ...this.inPool(tenantId), spec: specOf(body), now: new Date() };
    return this.questions.ask({ type: 'PlanBooking', data }, schema.planAnswer, request);
  }

  @HttpCode(200)
  @Operation('POST', '/v1/reservations/:id/cancel', {
    summary: 'Cancel a reservation',
    description:
      'It ends at once, with what runs in it. What has begun and 15 minutes more are paid, but nothing beyond its ' +
      'end and nothing before its start; the rest comes back.',
    callers: ['tenant'],
    pathParameters: schema.reservationPath,
    body: schema.nothing,
    answers: { 200: { description: 'Cancelled', schema: schema.reservation }, 202: schema.notKnownYet },
    problems: ['reservation_not_found', 'reservation_has_ended', 'command_refused'],
  })
  async cancel(
    @Param('id') bookingId: string,
    @FromCaller() { id: tenantId }: Caller,
    @Body() _body: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<schema.Reservation | schema.Pending> {
    if (!isId('booking', bookingId)) throw new Problem('reservation_not_found');
    const data = { ...this.inPool(tenantId), bookingId, at: new Date() };
    return this.execute({ type: 'CancelBooking', data }, request, reply);
  }

  @Operation('GET', '/v1/reservations', {
    summary: 'List reservations, newest first',
    callers: ['tenant'],
    query: schema.reservationsQuery,
    answers: { 200: { description: 'A page', schema: schema.reservationPage } },
    problems: ['cursor_invalid'],
  })
  async list(
    @Query() { limit, cursor, status }: z.output<typeof schema.reservationsQuery>,
    @FromCaller() { id: tenantId }: Caller,
  ): Promise<z.infer<typeof schema.reservationPage>> {
    const scope = `reservations ${tenantId} ${status ?? ''}`;
    const query = { limit, status, cursor: decodeCursor(scope, cursor) };
    const page = await this.readModels.query(em => pageOfBookings(em, tenantId, query));
    return toPage(page, scope, toReservation);
  }

  @Operation('GET', '/v1/reservations/:id', {
    summary: 'Read a reservation',
    callers: ['tenant'],
    pathParameters: schema.reservationPath,
    answers: { 200: { description: 'The reservation', schema: schema.reservation } },
    problems: ['reservation_not_found'],
  })
  async get(@Param('id') bookingId: string, @FromCaller() caller: Caller): Promise<schema.Reservation> {
    const found = await this.readModels.query(em => findReservation(em, caller.id, bookingId));
    if (!found) throw new Problem('reservation_not_found');
    return found;
  }

  private inPool(tenantId: string) {
    return { poolId: this.config.POOL_ID, tenantId };
  }

  /** Sends the command and answers with the reservation as it then is, or with 202 when that is not known in time. */
  private async execute(
    command: Extract<PoolCommand, { type: 'BookCapacity' | 'CancelBooking' }>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<schema.Reservation | schema.Pending> {
    const { poolId, bookingId, tenantId } = command.data;
    const directed: Directed<PoolCommand> = { to: { type: 'scheduling.pool', id: poolId }, ...command };
    const outcome = await this.commands.request(directed, request);
    if (outcome) {
      assertAccepted(outcome);
      await this.readModels.includes('scheduling.bookings', outcome.position);
      const found = await this.readModels.query(em => findReservation(em, tenantId, bookingId));
      if (found) return found;
    }
    reply.status(202).header('location', `/v1/reservations/${bookingId}`);
    return { id: bookingId };
  }
}

function specOf(body: schema.ReservationRequest): BookingSpec {
  const { units, topology, distinctOperators: hasDistinctOperators, startsAt, endsAt } = body;
  return {
    requirements: toRequirements(body.requirements),
    units,
    topology,
    hasDistinctOperators,
    ...(startsAt !== undefined && { startsAt: new Date(startsAt) }),
    endsAt: new Date(endsAt),
  };
}
