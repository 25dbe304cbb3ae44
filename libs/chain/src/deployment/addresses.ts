import { z } from 'zod';

/** The contracts of the protocol, those behind a proxy by the proxy's address. */
export const contractNames = [
  'timelock',
  'treasury',
  'token',
  'vesting',
  'parameters',
  'rewards',
  'staking',
  'slashing',
  'escrow',
  'grants',
  'governor',
] as const;
export type ContractName = (typeof contractNames)[number];

const hash = z.string().regex(/^0x[0-9a-f]{64}$/, 'must be a hash in hex');
const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/, 'must be an address');

/** Where the protocol lives: what `deploy` writes, and everybody else reads. */
export const deploymentFile = z.strictObject({
  chainId: z.number().int().positive(),
  /** The last block in which nothing was deployed yet; it also tells the chain from another with the same id. */
  before: z.strictObject({ number: z.number().int().min(0), hash }),
  /** Whoever deployed; without any right since. */
  deployer: address,
  contracts: z.strictObject(
    Object.fromEntries(contractNames.map(name => [name, address])) as Record<ContractName, typeof address>,
  ),
});
export type Deployment = z.infer<typeof deploymentFile>;
