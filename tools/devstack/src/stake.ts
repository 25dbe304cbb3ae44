import { setTimeout as sleep } from 'node:timers/promises';
import { readAddresses } from '@astro/chain/deployment/files';
import { AstroToken__factory } from '@astro/chain/gen/factories/AstroToken__factory';
import { Staking__factory } from '@astro/chain/gen/factories/Staking__factory';
import { RpcPool } from '@astro/chain/rpc/pool';
import { subjectOf } from '@astro/chain/staking/subject';
import { walletFrom } from '@astro/chain/wallet';
import { anvilMnemonic } from './anvil/server.js';
import { localPayer, unlimitedAllowance, type Place } from './escrow-deposit.js';

/** By their places in `Role` of the contract Staking. */
const roles = { operator: 0, validator: 1 } as const;
const pollMs = 100;
/** A block is made each second while there is something to put into it. */
const minedWithinMs = 30_000;

export type Stake = {
  readonly role: keyof typeof roles;
  /** What it is called off the chain. */
  readonly id: string;
  /** Of an account that the node of the chain signs for. */
  readonly address: string;
  readonly amountAtto: bigint;
};

/**
 * Stakes for validators on a platform's own chain, each from an account of its own that is given the tokens: they are
 * drawn once that is final. An account registers one.
 * @param stakes by the account's place among those of the local chain, from 7 to 9
 */
export const stakeForValidators = (
  at: Place,
  stakes: ReadonlyMap<number, { readonly validatorId: string; readonly amountAtto: bigint }>,
): Promise<void> =>
  stakeAll(
    at,
    [...stakes].map(([index, { validatorId, amountAtto }]) => ({
      ...{ role: 'validator', id: validatorId, amountAtto },
      address: walletFrom(anvilMnemonic, index).address,
    })),
  );

/** Stakes for an operator from an address whose key the local chain need not know. */
export async function stakeForOperator(
  at: Place,
  operator: Pick<Stake, 'id' | 'address' | 'amountAtto'>,
): Promise<void> {
  const pool = new RpcPool(at.chain.rpcUrl.split(','));
  try {
    await pool.call('anvil_impersonateAccount', operator.address);
    await pool.call('anvil_setBalance', operator.address, '0xde0b6b3a7640000');
  } finally {
    pool.close();
  }
  await stakeAll(at, [{ role: 'operator', ...operator }]);
}

/** Two transactions for each, and then the one that registers it. */
async function stakeAll(at: Place, stakes: readonly Stake[]): Promise<void> {
  const { contracts } = readAddresses(at.chain.addressesFile);
  const pool = new RpcPool(at.chain.rpcUrl.split(','));
  const [token, staking] = [AstroToken__factory.createInterface(), Staking__factory.createInterface()];
  const send = (from: string, to: string, data: string) =>
    pool.call('eth_sendTransaction', { from, to, data, gas: '0x7a120' });
  try {
    const given = stakes.flatMap(({ address, amountAtto }) => [
      send(localPayer, contracts.token, token.encodeFunctionData('transfer', [address, amountAtto])),
      send(
        address,
        contracts.token,
        token.encodeFunctionData('approve', [contracts.staking, unlimitedAllowance]),
      ),
    ]);
    await untilMined(pool, await Promise.all(given));
    const registered = stakes.map(({ role, id, address, amountAtto }) => {
      const data = staking.encodeFunctionData('register', [roles[role], subjectOf(id), amountAtto]);
      return send(address, contracts.staking, data);
    });
    await untilMined(pool, await Promise.all(registered));
  } finally {
    pool.close();
  }
}

async function untilMined(pool: RpcPool, hashes: readonly unknown[]): Promise<void> {
  const deadline = Date.now() + minedWithinMs;
  for (const hash of hashes) {
    for (;;) {
      const receipt = (await pool.call('eth_getTransactionReceipt', hash)) as { status: string } | null;
      if (receipt?.status === '0x1') break;
      if (receipt || Date.now() > deadline)
        throw new Error(`the transaction ${String(hash)} was not carried out`);
      await sleep(pollMs);
    }
  }
}
