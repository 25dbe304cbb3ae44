import { commonConfig } from '@astro/runtime/config';
import { z } from 'zod';

const fields = z.object({
  ...commonConfig,
  /** The platform's part of every charge, on a platform without a chain; the protocol allows 1 to 5 per cent. */
  FEE_BPS: z.coerce.number().int().min(100).max(500).default(250),
  /** The part of the fee that is burned, on a platform without a chain. */
  BURN_BPS: z.coerce.number().int().min(0).max(10_000).default(2_000),
  /** The part of the fee that validators have, on a platform without a chain. */
  VALIDATOR_BPS: z.coerce.number().int().min(0).max(5_000).default(0),
  /** JSON-RPC endpoints of the chain, separated by commas. */
  RPC_URL: z.string().min(1).optional(),
  /** The file that `npm run chain -- deploy` wrote. */
  CHAIN_ADDRESSES_FILE: z.string().min(1).optional(),
  /** Holds the private key of the escrow's settler. Without it nothing is settled. */
  SETTLER_KEY_FILE: z.string().min(1).optional(),
  /** How deep a final block is, for a chain whose nodes do not tell; without it they are asked. */
  CHAIN_FINALITY_BLOCKS: z.coerce.number().int().min(0).max(100_000).optional(),
  /** Blocks on top of a transaction's after which it is not sent again; as many as make it final. */
  CHAIN_CONFIRMATIONS: z.coerce.number().int().min(0).max(100_000).default(64),
  /** How long a charge waits for others to be settled with. */
  SETTLEMENT_EVERY_MS: z.coerce.number().int().min(100).max(2_592_000_000).default(3_600_000),
  /** So many charges are settled without waiting for more. */
  SETTLEMENT_CHARGES_MAX: z.coerce.number().int().min(1).max(1_000_000).default(100_000),
  /** How often the settlement looks what is due. */
  SETTLEMENT_POLL_MS: z.coerce.number().int().min(10).max(60_000).default(1_000),
  /** How often the ledger is held against Escrow. */
  RECONCILE_EVERY_MS: z.coerce.number().int().min(100).max(86_400_000).default(60_000),
  /** How long a difference has to last before it counts: a fact and its booking are recorded one after the other. */
  RECONCILE_GRACE_MS: z.coerce.number().int().min(1_000).max(86_400_000).default(600_000),
  /** What a tenant pays for each GiB of its content that is kept for an hour, in base units. */
  STORAGE_PRICE_PER_GIB_HOUR_ATTO: z
    .string()
    .regex(/^(0|[1-9]\d{0,29})$/, 'must be a whole number of base units')
    .default('0'),
  /** The operator that keeps it, and earns that. */
  STORAGE_OPERATOR_ID: z
    .string()
    .regex(/^operator_[0-9a-z]{26}$/, 'must be the id of an operator')
    .optional(),
  /** How long a period is at whose end storage is charged. */
  STORAGE_CHARGE_EVERY_MS: z.coerce.number().int().min(100).max(86_400_000).default(3_600_000),
  /** How long after its end a month is invoiced; clocks of the bus differ by less. */
  INVOICE_AFTER_MS: z.coerce.number().int().min(0).max(2_592_000_000).default(3_600_000),
  /** How often billing looks what is to be invoiced. */
  INVOICE_POLL_MS: z.coerce.number().int().min(10).max(60_000).default(1_000),
});

export const billingConfig = fields
  .refine(
    config => config.STORAGE_PRICE_PER_GIB_HOUR_ATTO === '0' || config.STORAGE_OPERATOR_ID !== undefined,
    { path: ['STORAGE_OPERATOR_ID'], message: 'is needed where storage has a price' },
  )
  .refine(config => config.BURN_BPS + config.VALIDATOR_BPS <= 10_000, {
    path: ['VALIDATOR_BPS'],
    message: 'is more of the fee than BURN_BPS leaves',
  });

export type BillingConfig = z.infer<typeof billingConfig>;
