import { setTimeout as sleep } from 'node:timers/promises';
import { readAddresses } from '@astro/chain/deployment/files';
import { AstroToken__factory } from '@astro/chain/gen/factories/AstroToken__factory';
import { Staking__factory } from '@astro/chain/gen/factories/Staking__factory';
import { RpcPool } from '@astro/chain/rpc/pool';
import { subjectOf } from '@astro/chain/staking/subject';
import { walletFrom } from '@astro/chain/wallet';
import { anvilMnemonic } from './anvil/server.js';
import { localPayer, unlimitedAllowance, type Place } from './escrow-deposit.js';

/** By its place in `Role` of the contract Staking. */
const validatorRole = 1;
const pollMs = 100;
/** A block is made each second while there is something to put into it. */
const minedWithinMs = 30_000;

/**
 * Stakes for validators on a platform's own chain, each from an account of its own that is given the tokens: they are
 * drawn once that is final. An account registers one.
 * @param stakes by the account's place among those of the local chain, from 7 to 9
 */
export async function stakeForValidators(
  at: Place,
  stakes: ReadonlyMap<number, { readonly validatorId: string; readonly amountAtto: bigint }>,
): Promise<void> {
  const { contracts } = readAddresses(at.chain.addressesFile);
  const pool = new RpcPool(at.chain.rpcUrl.split(','));
  const [token, staking] = [AstroToken__factory.createInterface(), Staking__factory.createInterface()];
  const send = (from: string, to: string, data: string) =>
    pool.call('eth_sendTransaction', { from, to, data, gas: '0x7a120' });
  const eachOf = (act: (address: string, index: number) => Promise<readonly unknown[]>) =>
    Promise.all([...stakes.keys()].map(index => act(walletFrom(anvilMnemonic, index).address, index)));
  try {
    const given = await eachOf(async (address, index) => [
      await send(
        localPayer,
        contracts.token,
        token.encodeFunctionData('transfer', [address, stakes.get(index)!.amountAtto]),
      ),
      await send(
        address,
        contracts.token,
        token.encodeFunctionData('approve', [contracts.staking, unlimitedAllowance]),
      ),
    ]);
    await untilMined(pool, given.flat());
    const registered = await eachOf(async (address, index) => {
      const { validatorId, amountAtto } = stakes.get(index)!;
      const data = staking.encodeFunctionData('register', [
        validatorRole,
        subjectOf(validatorId),
        amountAtto,
      ]);
      return [await send(address, contracts.staking, data)];
    });
    await untilMined(pool, registered.flat());
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
