import { moneyOf } from '@astro/read-models/billing/earnings';
import { pageOfEarnings, type EarnedBy } from '@astro/read-models/billing/earnings-by';
import { pageOfSlashes, type SlashWithCase } from '@astro/read-models/chain/slashing';
import { walletOf } from '@astro/read-models/registry/wallets';
import { Controller, Inject, Query } from '@nestjs/common';
import type { z } from 'zod';
import { knownOfChain } from '../chain/known.js';
import { cursorOf, joint } from '../chain/resources.js';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { decodeCursor } from '../http/cursor.js';
import { toPage } from '../http/page.js';
import { Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import * as schema from './earnings.schema.js';
import { periodOf } from './period.js';

@Controller()
export class EarningsController {
  constructor(
    private readonly readModels: ReadModels,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  @Operation('GET', '/v1/earnings', {
    summary: 'List what you earned, by day, device and node',
    description:
      'Of at most 366 days. The device of a node is the first that it offers now and that is no CPU, or its CPU.',
    callers: ['operator'],
    query: schema.earningsQuery,
    answers: { 200: { description: 'A page', schema: schema.earningsPage } },
    problems: ['cursor_invalid'],
  })
  async list(
    @Query() { limit, cursor, groupBy, ...days }: z.output<typeof schema.earningsQuery>,
    @FromCaller() { id: operatorId }: Caller,
  ): Promise<z.infer<typeof schema.earningsPage>> {
    const { from, to } = periodOf(days, new Date());
    const scope = `earnings ${operatorId} ${from} ${to} ${groupBy.join()}`;
    const query = { operatorId, from, to, groupBy, limit, cursor: decodeCursor(scope, cursor) };
    const page = await this.readModels.query(em => pageOfEarnings(em, query));
    return { from, to, ...toPage(page, scope, toEarning) };
  }

  @Operation('GET', '/v1/earnings/summary', {
    summary: 'Read what became of all that you earned',
    callers: ['operator'],
    answers: { 200: { description: 'The money, by where it is', schema: schema.earningsSummary } },
  })
  async summary(@FromCaller() { id: operatorId }: Caller): Promise<z.infer<typeof schema.earningsSummary>> {
    const money = await this.readModels.query(em => moneyOf(em, operatorId));
    return {
      earnedAtto: money.earnedAtto.toString(),
      pendingAtto: money.pendingAtto.toString(),
      settlingAtto: money.settlingAtto.toString(),
      claimableAtto: money.claimableAtto.toString(),
      claimedAtto: money.claimedAtto.toString(),
      roundedAtto: money.roundedAtto.toString(),
    };
  }

  @Operation('GET', '/v1/earnings/slashes', {
    summary: 'List what was taken of the stake on your wallet, and for what',
    callers: ['operator'],
    query: schema.slashesQuery,
    answers: { 200: { description: 'A page', schema: schema.slashesPage } },
    problems: ['cursor_invalid', 'wallet_not_linked', 'chain_not_configured', 'chain_not_indexed'],
  })
  async slashes(
    @Query() { limit, cursor }: z.output<typeof schema.slashesQuery>,
    @FromCaller() { id: operatorId }: Caller,
  ): Promise<z.infer<typeof schema.slashesPage>> {
    const { CHAIN_ID: chainId } = this.config;
    if (chainId === undefined) throw new Problem('chain_not_configured');
    const wallet = await this.readModels.query(em => walletOf(em, chainId, operatorId));
    if (!wallet) throw new Problem('wallet_not_linked');
    const { address } = wallet;
    const scope = `slashes ${address}`;
    const query = { limit, cursor: decodeCursor(scope, cursor) };
    const page = await knownOfChain(this.readModels, em => pageOfSlashes(em, address, query));
    return { ...joint(page), address, items: page.rows.map(toSlash), ...cursorOf(page, scope) };
  }
}

const toEarning = ({ key, charges, workMs, grossAtto, feeAtto, netAtto }: EarnedBy) => ({
  ...(key.day !== undefined && { day: key.day }),
  ...(key.node !== undefined && { nodeId: key.node }),
  ...(key.device !== undefined && { device: key.device }),
  ...{ charges, workMs, grossAtto: grossAtto.toString(), feeAtto: feeAtto.toString() },
  netAtto: netAtto.toString(),
});

const toSlash = ({ toReporterAtto, burnedAtto, toTreasuryAtto, case: of, ...row }: SlashWithCase) => ({
  ...{ block: row.asOfBlock, final: row.isFinal, fractionBps: row.fractionBps },
  amountAtto: (toReporterAtto + burnedAtto + toTreasuryAtto).toString(),
  ...{ toReporterAtto: toReporterAtto.toString(), burnedAtto: burnedAtto.toString() },
  toTreasuryAtto: toTreasuryAtto.toString(),
  ...(of && {
    reason: {
      ...{ caseId: of.caseId, accuser: of.accuser, evidence: of.evidence },
      ...(of.rebuttal !== '' && { rebuttal: of.rebuttal }),
    },
  }),
});
