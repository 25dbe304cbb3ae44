import type { Directed } from '@astro/event-sourcing/reactor';
import type { AccountCommand } from '@astro/messages/billing';
import { findTenant } from '@astro/read-models/registry/tenants';
import { Body, Controller, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { Commands } from '../commands.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { invalidField } from '../http/problem.js';
import { derivedFrom } from '../http/request-ids.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { assertAccepted } from '../rejections.js';
import * as schema from './transfers.schema.js';

@Controller()
export class TransfersController {
  constructor(
    private readonly commands: Commands,
    private readonly readModels: ReadModels,
  ) {}

  @Operation('POST', '/v1/transfers', {
    summary: 'Give money to another tenant',
    description: 'It leaves your balance at once, and can be spent by the receiver within about a second.',
    callers: ['tenant'],
    body: schema.transferRequest,
    answers: { 201: { description: 'Given', schema: schema.transfer }, 202: schema.notKnownYet },
    problems: ['receiver_not_found', 'funds_insufficient', 'command_refused'],
  })
  async give(
    @Body() { toTenantId, amountAtto, currency }: schema.TransferRequest,
    @FromCaller() { id: tenantId }: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<z.infer<typeof schema.transfer> | { id: string }> {
    const receiver = await this.readModels.query(em => findTenant(em, toTenantId));
    if (!receiver) throw invalidField('toTenantId', 'must be a registered tenant', 'receiver_not_found');
    const transferId = derivedFrom(request, 'transfer');
    const money = { amountAtto: BigInt(amountAtto), currency };
    const command: Directed<AccountCommand> = {
      to: { type: 'billing.account', id: tenantId },
      type: 'TransferFunds',
      data: { tenantId, transferId, toTenantId, ...money, requestedAt: new Date() },
    };
    const outcome = await this.commands.request(command, request);
    if (!outcome) {
      reply.status(202);
      return { id: transferId };
    }
    assertAccepted(outcome);
    await this.readModels.includes('billing.balances', outcome.position);
    reply.status(201);
    return { id: transferId, toTenantId, amountAtto };
  }
}
