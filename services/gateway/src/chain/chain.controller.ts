import type { AsOf } from '@astro/read-models/chain/as-of';
import { escrowOf, findBatch, pageOfBatches, pageOfClaims } from '@astro/read-models/chain/escrow';
import {
  findProposal,
  pageOfProposals,
  pageOfVotes,
  parametersNow,
} from '@astro/read-models/chain/governance';
import { pageOfGrants } from '@astro/read-models/chain/grants';
import { followedTo } from '@astro/read-models/chain/models';
import { providersOf, stakesOf } from '@astro/read-models/chain/stakes';
import { allocationsOf, tokensOf } from '@astro/read-models/chain/token';
import type { PageQuery } from '@astro/read-models/page';
import { walletOf } from '@astro/read-models/registry/wallets';
import type { EntityManager } from '@mikro-orm/postgresql';
import { Controller, Inject, Param, Query } from '@nestjs/common';
import type { z } from 'zod';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { decodeCursor } from '../http/cursor.js';
import { invalidField, Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import * as schema from './chain.schema.js';
import { knownOfChain } from './known.js';
import * as resource from './resources.js';

type ListQuery = z.output<typeof schema.listQuery>;

/** What the indexer has mirrored of the chain. All of it is public there. */
@Controller()
export class ChainController {
  constructor(
    private readonly readModels: ReadModels,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  @Operation('GET', '/v1/chain/head', {
    summary: 'Read how far the chain is known',
    callers: ['tenant', 'operator'],
    answers: { 200: { description: 'The head', schema: schema.head } },
    problems: ['chain_not_indexed'],
  })
  async head(): Promise<z.infer<typeof schema.head>> {
    const { asOfBlock, finalBlock } = await this.#known(followedTo);
    return { asOfBlock, finalBlock };
  }

  @Operation('GET', '/v1/chain/parameters', {
    summary: 'Read the parameters of the protocol',
    callers: ['tenant', 'operator'],
    answers: { 200: { description: 'All of them', schema: schema.parameters } },
    problems: ['chain_not_indexed'],
  })
  async parameters(): Promise<z.infer<typeof schema.parameters>> {
    return resource.listOf(await this.#known(parametersNow), resource.toParameter);
  }

  @Operation('GET', '/v1/chain/allocations', {
    summary: 'Read who was given what of the token at first',
    callers: ['tenant', 'operator'],
    answers: { 200: { description: 'All of them', schema: schema.allocations } },
    problems: ['chain_not_indexed'],
  })
  async allocations(): Promise<z.infer<typeof schema.allocations>> {
    return resource.listOf(await this.#known(allocationsOf), resource.toAllocation);
  }

  @Operation('GET', '/v1/chain/stakes/:account', {
    summary: 'Read what an account holds and has staked',
    callers: ['tenant', 'operator'],
    pathParameters: schema.accountPath,
    answers: { 200: { description: 'Its stakes, at most 200', schema: schema.stakes } },
    problems: ['request_invalid', 'chain_not_indexed'],
  })
  async stakes(@Param('account') text: string): Promise<z.infer<typeof schema.stakes>> {
    const account = addressIn('account', text);
    const tokens = await this.#known(em => tokensOf(em, account));
    const providers = await this.#known(em => providersOf(em, account));
    const positions = await this.#known(em => stakesOf(em, account));
    return {
      ...resource.joint(tokens, providers, positions),
      account,
      tokensAtto: (tokens.rows[0]?.balanceAtto ?? 0n).toString(),
      providers: providers.rows.map(resource.toProvider),
      positions: positions.rows.map(resource.toPosition),
    };
  }

  @Operation('GET', '/v1/chain/escrow/:tenantId', {
    summary: 'Read what a tenant has in escrow',
    callers: ['tenant', 'operator'],
    pathParameters: schema.tenantPath,
    answers: { 200: { description: 'Its balance on the chain', schema: schema.escrow } },
    problems: ['request_invalid', 'wallet_not_linked', 'chain_not_configured', 'chain_not_indexed'],
  })
  async escrow(
    @Param('tenantId') text: string,
    @FromCaller() caller: Caller,
  ): Promise<z.infer<typeof schema.escrow>> {
    const account = text.startsWith('tenant_')
      ? await this.#walletOf(text, caller)
      : addressIn('tenantId', text);
    const found = await this.#known(em => escrowOf(em, account));
    return { ...resource.joint(found), ...resource.toEscrow(account, found.rows[0]) };
  }

  @Operation('GET', '/v1/chain/batches', {
    summary: 'List settlement batches',
    callers: ['tenant', 'operator'],
    query: schema.listQuery,
    answers: { 200: { description: 'A page', schema: schema.batches } },
    problems: ['cursor_invalid', 'chain_not_indexed'],
  })
  async batches(@Query() query: ListQuery): Promise<z.infer<typeof schema.batches>> {
    return this.#list('chain batches', query, pageOfBatches, resource.toBatch);
  }

  @Operation('GET', '/v1/chain/batches/:id', {
    summary: 'Read a settlement batch and who claimed what of it',
    callers: ['tenant', 'operator'],
    pathParameters: schema.batchPath,
    query: schema.listQuery,
    answers: { 200: { description: 'The batch with a page of its claims', schema: schema.batchWithClaims } },
    problems: ['cursor_invalid', 'batch_not_found', 'chain_not_indexed'],
  })
  async batch(
    @Param('id') text: string,
    @Query() query: ListQuery,
  ): Promise<z.infer<typeof schema.batchWithClaims>> {
    const id = text.toLowerCase();
    const scope = `chain claims ${id}`;
    const part = within(query, scope);
    const found = await this.#known(em => findBatch(em, id));
    const [row] = found.rows;
    if (!row) throw new Problem('batch_not_found');
    const claims = await this.#known(em => pageOfClaims(em, id, part));
    return {
      ...resource.joint(found, claims),
      batch: resource.toBatch(row),
      claims: claims.rows.map(resource.toClaim),
      ...resource.cursorOf(claims, scope),
    };
  }

  @Operation('GET', '/v1/chain/proposals', {
    summary: 'List the proposals of the governance',
    callers: ['tenant', 'operator'],
    query: schema.listQuery,
    answers: { 200: { description: 'A page', schema: schema.proposals } },
    problems: ['cursor_invalid', 'chain_not_indexed'],
  })
  async proposals(@Query() query: ListQuery): Promise<z.infer<typeof schema.proposals>> {
    return this.#list('chain proposals', query, pageOfProposals, resource.toProposal);
  }

  @Operation('GET', '/v1/chain/proposals/:id', {
    summary: 'Read a proposal and who voted how',
    callers: ['tenant', 'operator'],
    pathParameters: schema.proposalPath,
    query: schema.listQuery,
    answers: { 200: { description: 'The proposal with a page of votes', schema: schema.proposalWithVotes } },
    problems: ['cursor_invalid', 'proposal_not_found', 'chain_not_indexed'],
  })
  async proposal(
    @Param('id') id: string,
    @Query() query: ListQuery,
  ): Promise<z.infer<typeof schema.proposalWithVotes>> {
    const scope = `chain votes ${id}`;
    const part = within(query, scope);
    const found = await this.#known(em => findProposal(em, id));
    const [row] = found.rows;
    if (!row) throw new Problem('proposal_not_found');
    const votes = await this.#known(em => pageOfVotes(em, id, part));
    return {
      ...resource.joint(found, votes),
      proposal: resource.toProposal(row),
      votes: votes.rows.map(resource.toVote),
      ...resource.cursorOf(votes, scope),
    };
  }

  @Operation('GET', '/v1/chain/grants', {
    summary: 'List the grants of the treasury with their milestones',
    callers: ['tenant', 'operator'],
    query: schema.listQuery,
    answers: { 200: { description: 'A page', schema: schema.grants } },
    problems: ['cursor_invalid', 'chain_not_indexed'],
  })
  async grants(@Query() query: ListQuery): Promise<z.infer<typeof schema.grants>> {
    return this.#list('chain grants', query, pageOfGrants, resource.toGrant);
  }

  /** @param scope tells the cursors of this list from those of others */
  async #list<Row, Item>(
    scope: string,
    query: ListQuery,
    read: (em: EntityManager, query: PageQuery) => Promise<AsOf<Row> | undefined>,
    toItem: (row: Row) => Item,
  ) {
    const part = within(query, scope);
    const page = await this.#known(em => read(em, part));
    return { ...resource.listOf(page, toItem), ...resource.cursorOf(page, scope) };
  }

  #known<T>(read: (em: EntityManager) => Promise<T | undefined>): Promise<T> {
    return knownOfChain(this.readModels, read);
  }

  /** Whose address it is, only its owner is told. */
  async #walletOf(tenantId: string, caller: Caller): Promise<string> {
    const { CHAIN_ID: chainId } = this.config;
    if (chainId === undefined) throw new Problem('chain_not_configured');
    if (caller.id !== tenantId) throw new Problem('wallet_not_linked');
    const linked = await this.readModels.query(em => walletOf(em, chainId, tenantId));
    if (!linked) throw new Problem('wallet_not_linked');
    return linked.address;
  }
}

/** Not in the midst of a read: what is wrong with a cursor is said as such. */
const within = ({ limit, cursor }: ListQuery, scope: string) => ({
  limit,
  cursor: decodeCursor(scope, cursor),
});

function addressIn(field: string, text: string): string {
  const { success, data, error } = schema.address.safeParse(text);
  if (!success) throw invalidField(field, error.issues[0]!.message);
  return data.toLowerCase();
}
