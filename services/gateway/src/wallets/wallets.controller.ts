import { typedDataOf } from '@astro/chain/statements/wallet-statement';
import type { Directed } from '@astro/event-sourcing/reactor';
import type { KeyOwner, WalletsCommand } from '@astro/messages/registry';
import { walletOf } from '@astro/read-models/registry/wallets';
import { Body, Controller, HttpCode, Inject, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { Commands } from '../commands.js';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { invalidField, Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { assertAccepted } from '../rejections.js';
import * as schema from './wallets.schema.js';

/** Statements are for now: one that is good for longer could be found and used much later. */
const maxValidMs = 24 * 3_600_000;

@Controller()
export class WalletsController {
  constructor(
    private readonly commands: Commands,
    private readonly readModels: ReadModels,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  @HttpCode(200)
  @Operation('PUT', '/v1/wallet', {
    summary: 'Link an address of the chain to your account',
    description:
      'With a statement that the address signed. A tenant pays in from it, and keeps it; an operator is paid there.',
    callers: ['tenant', 'operator'],
    body: schema.link,
    answers: { 200: { description: 'Linked', schema: schema.wallet } },
    problems: ['wallet_conflict', 'chain_not_configured'],
  })
  async link(
    @Body() body: schema.Link,
    @FromCaller() caller: Caller,
    @Req() request: FastifyRequest,
  ): Promise<z.infer<typeof schema.wallet>> {
    const chainId = this.#chainId();
    if (body.chainId !== chainId)
      throw invalidField('chainId', `must be ${chainId}, the chain of this platform`);
    const expiresAt = new Date(body.expiresAt);
    const leftMs = expiresAt.getTime() - Date.now();
    if (leftMs <= 0) throw invalidField('expiresAt', 'has passed');
    if (leftMs > maxValidMs) throw invalidField('expiresAt', 'must be within 24 hours');
    const address = body.address.toLowerCase();
    const { nonce, signature } = body;
    const command: Directed<WalletsCommand> = {
      to: { type: 'registry.wallets', id: String(chainId) },
      type: 'LinkWallet',
      data: { owner: ownerOf(caller), ownerId: caller.id, chainId, address, nonce, expiresAt, signature },
    };
    const outcome = await this.commands.request(command, request);
    if (!outcome) throw new Problem('commands_unavailable', { headers: { 'retry-after': '2' } });
    assertAccepted(outcome);
    await this.readModels.includes('registry.wallets', outcome.position);
    return { chainId, address };
  }

  @Operation('GET', '/v1/wallet', {
    summary: 'Read the address that is linked to your account',
    callers: ['tenant', 'operator'],
    answers: { 200: { description: 'The address in use', schema: schema.wallet } },
    problems: ['wallet_not_linked', 'chain_not_configured'],
  })
  async get(@FromCaller() { id }: Caller): Promise<z.infer<typeof schema.wallet>> {
    const linked = await this.readModels.query(em => walletOf(em, this.#chainId(), id));
    if (!linked) throw new Problem('wallet_not_linked');
    const { chainId, address, linkedAt } = linked;
    return { chainId, address, linkedAt: linkedAt.toISOString() };
  }

  @Operation('GET', '/v1/wallet/statement', {
    summary: 'Read what an address has to sign to be linked to your account',
    description: 'Typed data for `eth_signTypedData_v4`.',
    callers: ['tenant', 'operator'],
    query: schema.statementQuery,
    answers: { 200: { description: 'The statement', schema: schema.statement } },
    problems: ['chain_not_configured'],
  })
  async statement(
    @Query() { address, expiresAt }: z.output<typeof schema.statementQuery>,
    @FromCaller() caller: Caller,
  ): Promise<z.infer<typeof schema.statement>> {
    const chainId = this.#chainId();
    const linked = await this.readModels.query(em => walletOf(em, chainId, caller.id));
    return typedDataOf({
      ...{ owner: ownerOf(caller), ownerId: caller.id, chainId, address: address.toLowerCase() },
      nonce: linked ? linked.nonce + 1 : 0,
      expiresAt: new Date(expiresAt),
    });
  }

  #chainId(): number {
    const { CHAIN_ID: chainId } = this.config;
    if (chainId === undefined) throw new Problem('chain_not_configured');
    return chainId;
  }
}

const ownerOf = ({ kind }: Caller): KeyOwner => (kind === 'tenant' ? 'tenant' : 'operator');
