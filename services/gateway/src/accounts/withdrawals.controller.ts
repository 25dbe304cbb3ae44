import type { Directed } from '@astro/event-sourcing/reactor';
import type { AccountCommand } from '@astro/messages/billing';
import { walletOf } from '@astro/read-models/registry/wallets';
import { Body, Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { Commands } from '../commands.js';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { invalidField, Problem } from '../http/problem.js';
import { derivedFrom } from '../http/request-ids.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { assertAccepted } from '../rejections.js';
import * as schema from './withdrawals.schema.js';

@Controller()
export class WithdrawalsController {
  constructor(
    private readonly commands: Commands,
    private readonly readModels: ReadModels,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  @Operation('POST', '/v1/withdrawals', {
    summary: 'Have money paid out to your wallet',
    description:
      'It cannot be spent from now on. The chain pays it; what the chain refuses is given back, with the reason.',
    callers: ['tenant'],
    body: schema.withdrawalRequest,
    answers: { 201: { description: 'Set aside', schema: schema.withdrawal }, 202: schema.notKnownYet },
    problems: ['wallet_not_linked', 'chain_not_configured', 'funds_insufficient', 'command_refused'],
  })
  async withdraw(
    @Body() { amountAtto, to }: schema.WithdrawalRequest,
    @FromCaller() { id: tenantId }: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<z.infer<typeof schema.withdrawal> | { id: string }> {
    const { CHAIN_ID: chainId } = this.config;
    if (chainId === undefined) throw new Problem('chain_not_configured');
    const wallet = await this.readModels.query(em => walletOf(em, chainId, tenantId));
    if (!wallet) throw new Problem('wallet_not_linked');
    const address = to.toLowerCase();
    if (address !== wallet.address) throw invalidField('to', `must be your wallet, ${wallet.address}`);
    const withdrawalId = derivedFrom(request, 'repay');
    const command: Directed<AccountCommand> = {
      to: { type: 'billing.account', id: tenantId },
      type: 'WithdrawFunds',
      data: { tenantId, withdrawalId, address, amountAtto: BigInt(amountAtto), requestedAt: new Date() },
    };
    const outcome = await this.commands.request(command, request);
    if (!outcome) {
      reply.status(202);
      return { id: withdrawalId };
    }
    assertAccepted(outcome);
    await this.readModels.includes('billing.balances', outcome.position);
    reply.status(201);
    return { id: withdrawalId, to: address, amountAtto };
  }
}
