import { z } from 'zod';

const chainId = z.int().min(1).meta({ example: 31_337 });
export const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'must be 0x and 40 digits of hex')
  .meta({ example: '0x70997970c51812dc3a010c7d01b50e0d17dc79c8' });
const nonce = z.int().min(0).max(1_000_000).meta({ description: 'How many addresses you linked before' });

export const link = z
  .object({
    chainId,
    address,
    nonce,
    expiresAt: z.iso.datetime().meta({ description: 'The statement is refused from then on' }),
    signature: z
      .string()
      .regex(/^0x[0-9a-fA-F]{130}$/, 'must be 0x and 130 digits of hex')
      .meta({ description: 'Of the statement that GET /v1/wallet/statement gives, by EIP-712' }),
  })
  .meta({ id: 'WalletLink' });
export type Link = z.infer<typeof link>;

export const wallet = z
  .object({ chainId, address, linkedAt: z.iso.datetime().optional() })
  .meta({ id: 'Wallet' });

export const statementQuery = z.object({
  address,
  expiresAt: z.iso.datetime(),
});

const field = z.object({ name: z.string(), type: z.string() });
export const statement = z
  .object({
    domain: z.object({ name: z.string(), version: z.string(), chainId }),
    types: z.object({ WalletStatement: z.array(field) }),
    primaryType: z.string(),
    message: z.object({
      statement: z.string(),
      owner: z.string(),
      ownerId: z.string(),
      account: z.string(),
      nonce: z.int(),
      expiresAt: z.int().meta({ description: 'Seconds since 1970' }),
    }),
  })
  .meta({ id: 'WalletStatement' });
