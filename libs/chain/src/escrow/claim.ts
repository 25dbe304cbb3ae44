import { isAddress, isCallException, isHexString, ZeroHash, type Wallet } from 'ethers';
import type { Deployment } from '../deployment/addresses.js';
import { Escrow__factory } from '../gen/factories/Escrow__factory.js';
import { isProven, type Payout } from '../payouts/tree.js';
import type { RpcPool } from '../rpc/pool.js';
import { PoolProvider } from '../rpc/provider.js';

/** What `GET /v1/payouts/{id}/proof` answers. */
export type PayoutProof = {
  /** 32 bytes in hex. */
  readonly root: string;
  readonly payout: Payout;
  readonly proof: readonly string[];
};

/** Nothing was paid. */
export class ClaimRefused extends Error {
  override readonly name = 'ClaimRefused';
}

export type ClaimOutcome = { readonly transactionHash: string } | { readonly refused: 'paid before' };

/** Far more than a batch of 10,000 payouts has levels. */
const proofMax = 64;
const indexMax = 2 ** 53;

/** @throws ClaimRefused that names the field and its rule */
export function readProof(json: unknown): PayoutProof {
  const { root, payout, proof } = fieldsOf(json, 'the proof');
  const { list, index, account, amount } = fieldsOf(payout, 'payout');
  if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index >= indexMax)
    throw new ClaimRefused('payout.index: must be a whole number from 0');
  if (typeof account !== 'string' || !isAddress(account))
    throw new ClaimRefused('payout.account: must be an address');
  if (typeof amount !== 'string' || !/^[1-9]\d{0,77}$/.test(amount) || BigInt(amount) >= 2n ** 256n)
    throw new ClaimRefused('payout.amount: must be a whole number of base units, as a string');
  if (!Array.isArray(proof) || proof.length > proofMax)
    throw new ClaimRefused(`proof: must be a list of at most ${proofMax} hashes`);
  return {
    root: hashIn(root, 'root'),
    payout: { list: hashIn(list, 'payout.list'), index, account, amount: BigInt(amount) },
    proof: proof.map((hash, place) => hashIn(hash, `proof[${place}]`)),
  };
}

/**
 * Has a payout paid to its own account; whose key signs does not matter, and pays for the gas. Asking again changes
 * nothing. @throws ClaimRefused before anything is sent
 */
export async function claimPayout(
  pool: RpcPool,
  { chainId, contracts }: Pick<Deployment, 'chainId' | 'contracts'>,
  wallet: Wallet,
  { root, payout, proof }: PayoutProof,
): Promise<ClaimOutcome> {
  if (!isProven(root, payout, proof))
    throw new ClaimRefused('proof: does not lead from the payout to the root');
  const provider = new PoolProvider(pool, chainId);
  try {
    const escrow = Escrow__factory.connect(contracts.escrow, wallet.connect(provider));
    const settled = await escrow.batchOf(payout.list);
    if (settled.root === ZeroHash)
      throw new ClaimRefused(`payout.list: the chain has no batch ${payout.list} yet`);
    if (settled.root !== root) throw new ClaimRefused('root: is not that of the batch on the chain');
    const entry = { ...payout, index: BigInt(payout.index) };
    const problem = await escrow.claim.staticCall(entry, [...proof]).then(() => undefined, revertIn);
    if (problem === 'AlreadyPaid') return { refused: 'paid before' };
    if (problem !== undefined) throw new ClaimRefused(`the contract refuses it: ${problem}`);
    const sent = await escrow.claim(entry, [...proof]);
    const receipt = await sent.wait();
    if (receipt?.status !== 1) throw new Error(`${sent.hash} was reverted`);
    return { transactionHash: sent.hash };
  } finally {
    provider.destroy();
  }
}

/** Name of the contract's own error. */
function revertIn(error: unknown): string {
  if (isCallException(error) && error.revert) return error.revert.name;
  throw error;
}

function fieldsOf(json: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof json !== 'object' || json === null) throw new ClaimRefused(`${what}: must be an object`);
  return json as Readonly<Record<string, unknown>>;
}

function hashIn(value: unknown, field: string): string {
  if (!isHexString(value, 32)) throw new ClaimRefused(`${field}: must be 32 bytes in hex`);
  return value.toLowerCase();
}
