import { bytes32Of } from '@astro/chain/payouts/ids';
import { PayoutTree, type Payout as Claim } from '@astro/chain/payouts/tree';
import {
  findBatch,
  findPayout,
  pageOfPayouts,
  payoutsOf,
  type Payout,
} from '@astro/read-models/billing/payouts';
import { Controller, Param, Query } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { z } from 'zod';
import { FromCaller, type Caller } from '../http/caller.js';
import { decodeCursor } from '../http/cursor.js';
import { toPage } from '../http/page.js';
import { Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import * as schema from './payouts.schema.js';

/** A tree of 10,000 payouts takes some 6 MiB. */
const treesKept = 8;

@Controller()
export class PayoutsController {
  /** A batch never changes, so its tree is made once for all who ask for their proofs. */
  private readonly trees = new LRUCache<string, PayoutTree>({ max: treesKept });

  constructor(private readonly readModels: ReadModels) {}

  @Operation('GET', '/v1/payouts', {
    summary: 'List what batches pay you, newest first',
    callers: ['operator'],
    query: schema.payoutsQuery,
    answers: { 200: { description: 'A page', schema: schema.payoutPage } },
    problems: ['cursor_invalid'],
  })
  async list(
    @Query() { limit, cursor }: z.output<typeof schema.payoutsQuery>,
    @FromCaller() { id: operatorId }: Caller,
  ): Promise<z.infer<typeof schema.payoutPage>> {
    const scope = `payouts ${operatorId}`;
    const query = { limit, cursor: decodeCursor(scope, cursor) };
    return toPage(await this.readModels.query(em => pageOfPayouts(em, operatorId, query)), scope, toResource);
  }

  @Operation('GET', '/v1/payouts/:id/proof', {
    summary: 'Read what Escrow.claim wants to see',
    description: 'Anybody may send it to the chain; the payout goes to its own address.',
    callers: ['operator'],
    pathParameters: schema.payoutPath,
    answers: { 200: { description: 'The proof', schema: schema.proof } },
    problems: ['payout_not_found'],
  })
  async proof(
    @Param('id') payoutId: string,
    @FromCaller() { id: operatorId }: Caller,
  ): Promise<z.infer<typeof schema.proof>> {
    const payout = await this.readModels.query(em => findPayout(em, operatorId, payoutId));
    const batch = payout && (await this.readModels.query(em => findBatch(em, payout.batchId)));
    if (!batch) throw new Problem('payout_not_found');
    const tree = await this.treeOf(batch.batchId);
    const { list, index, account, amount } = claimOf(payout);
    return {
      root: batch.root,
      payout: { list, index, account, amount: amount.toString() },
      proof: [...tree.proofOf(index)],
      ...(batch.transactionHash !== null && { settlement: batch.transactionHash }),
    };
  }

  private async treeOf(batchId: string): Promise<PayoutTree> {
    const known = this.trees.get(batchId);
    if (known) return known;
    const payouts = await this.readModels.query(em => payoutsOf(em, batchId));
    const tree = new PayoutTree(payouts.map(claimOf));
    this.trees.set(batchId, tree);
    return tree;
  }
}

const claimOf = ({ batchId, index, address, amountAtto }: Payout): Claim => ({
  list: bytes32Of(batchId),
  index,
  account: address,
  amount: amountAtto,
});

const toResource = (row: Payout) => ({
  id: row.payoutId,
  batchId: row.batchId,
  address: row.address,
  amountAtto: row.amountAtto.toString(),
  status: row.status,
  sealedAt: row.sealedAt.toISOString(),
  ...(row.transactionHash !== null && { transactionHash: row.transactionHash }),
});
