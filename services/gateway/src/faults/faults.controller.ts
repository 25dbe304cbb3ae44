import { FAULT_RULES, faultTerms } from '@astro/messages/fault-terms';
import { parametersNow } from '@astro/read-models/chain/governance';
import { providersOf, worthAtto } from '@astro/read-models/chain/stakes';
import { walletOf } from '@astro/read-models/registry/wallets';
import { pageOfAccusations, type Accusation } from '@astro/read-models/verification/accusations';
import { Controller, Inject, Query } from '@nestjs/common';
import type { z } from 'zod';
import { knownOfChain } from '../chain/known.js';
import { joint, toParameter } from '../chain/resources.js';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { decodeCursor } from '../http/cursor.js';
import { toPage } from '../http/page.js';
import { Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import * as schema from './faults.schema.js';

const WHOLE_BPS = 10_000n;

/** What faults cost, and what became of those that are on record. */
@Controller()
export class FaultsController {
  constructor(
    private readonly readModels: ReadModels,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  @Operation('GET', '/v1/faults', {
    summary: 'Read what each kind of fault of your nodes would cost you now',
    description: 'By the stake on your wallet, the published rules and the parameters of the protocol.',
    callers: ['operator'],
    answers: { 200: { description: 'All kinds, with the steps of a case', schema: schema.faultTerms } },
    problems: ['wallet_not_linked', 'chain_not_configured', 'chain_not_indexed'],
  })
  async terms(@FromCaller() { id: operatorId }: Caller): Promise<z.infer<typeof schema.faultTerms>> {
    const { CHAIN_ID: chainId } = this.config;
    if (chainId === undefined) throw new Problem('chain_not_configured');
    const wallet = await this.readModels.query(em => walletOf(em, chainId, operatorId));
    if (!wallet) throw new Problem('wallet_not_linked');
    const { address } = wallet;
    const parameters = await knownOfChain(this.readModels, parametersNow);
    const providers = await knownOfChain(this.readModels, em => providersOf(em, address));
    const valueOf = (name: string) => {
      const value = parameters.rows.find(row => toParameter(row).parameter === name)?.value;
      if (value === undefined) throw new Problem('chain_not_indexed', { headers: { 'retry-after': '5' } });
      return value;
    };
    const maxBps = valueOf('maxSlashBps');
    const items = Object.entries(faultTerms).map(([kind, { role, fractionBps }]) => {
      const provider = providers.rows.find(found => found.role === role);
      const stakedAtto = provider ? worthAtto(provider.activeShares, provider) : 0n;
      const takenBps = BigInt(fractionBps) < maxBps ? BigInt(fractionBps) : maxBps;
      const costAtto = (stakedAtto * takenBps) / WHOLE_BPS;
      const amounts = { stakedAtto: stakedAtto.toString(), costAtto: costAtto.toString() };
      return { kind, role, fractionBps: Number(takenBps), ...amounts };
    });
    return {
      ...{ rules: FAULT_RULES, ...joint(parameters, providers), address },
      bondAtto: valueOf('accusationBond').toString(),
      disputeWindowSeconds: Number(valueOf('disputeWindowSeconds')),
      appealWindowSeconds: Number(valueOf('appealWindowSeconds')),
      appealTimeoutSeconds: Number(valueOf('appealTimeoutSeconds')),
      items,
    };
  }

  @Operation('GET', '/v1/accusations', {
    summary: 'List the faults of your nodes that are on record, and what became of each on chain',
    callers: ['operator'],
    query: schema.accusationsQuery,
    answers: { 200: { description: 'A page', schema: schema.accusationPage } },
    problems: ['cursor_invalid'],
  })
  async accusations(
    @Query() { limit, cursor }: z.output<typeof schema.accusationsQuery>,
    @FromCaller() { id: operatorId }: Caller,
  ): Promise<z.infer<typeof schema.accusationPage>> {
    const scope = `accusations ${operatorId}`;
    const query = { limit, cursor: decodeCursor(scope, cursor) };
    const page = await this.readModels.query(em => pageOfAccusations(em, operatorId, query));
    return toPage(page, scope, toAccusation);
  }
}

function toAccusation(row: Accusation): z.infer<typeof schema.accusation> {
  const { faultId, kind, rules, nodeId, leaseId, taskId, status, reason, caseId } = row;
  const { address, evidence, fractionBps, endsAt, slashedAtto } = row;
  return {
    ...{ faultId, kind, rules, nodeId, leaseId, taskId, status },
    ...(reason !== '' && { reason }),
    recordedAt: row.recordedAt.toISOString(),
    ...(caseId !== '' && {
      case: {
        ...{ id: caseId, address, evidence, fractionBps, slashedAtto: slashedAtto.toString() },
        ...(endsAt && { endsAt: endsAt.toISOString() }),
      },
    }),
  };
}
