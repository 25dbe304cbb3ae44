import { z } from 'zod';
import { atto } from '../http/fields.js';
import { pageOf, pageQuery } from '../http/page.js';

const hex32 = z.string().meta({ example: `0x${'0'.repeat(64)}`, description: '32 bytes in hex' });

const payout = z
  .object({
    id: z.string().meta({ example: 'batch_01h455vb4pex5vsknk084sn02q-0' }),
    batchId: z.string(),
    address: z.string().meta({ description: 'Of the chain, where it is paid' }),
    amountAtto: atto,
    status: z.enum(['settling', 'claimable', 'claimed']),
    sealedAt: z.iso.datetime(),
    transactionHash: z.string().optional().meta({ description: 'Of the claim' }),
  })
  .meta({ id: 'Payout' });

export const payoutsQuery = pageQuery;
export const payoutPage = pageOf(payout).meta({ id: 'PayoutPage' });

export const payoutPath = {
  id: z.string().regex(/^batch_[0-9a-z]{26}-(0|[1-9]\d{0,5})$/, 'must be the id of a payout'),
};

export const proof = z
  .object({
    root: hex32.meta({ description: 'Of the Merkle tree of the batch' }),
    payout: z
      .object({ list: hex32, index: z.int(), account: z.string(), amount: atto })
      .meta({ description: 'First argument of Escrow.claim' }),
    proof: z.array(hex32).meta({ description: 'Second argument of Escrow.claim' }),
    settlement: z.string().optional().meta({ description: 'Transaction that settled the batch' }),
  })
  .meta({ id: 'PayoutProof' });
