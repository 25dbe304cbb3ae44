import { interfaces } from '@astro/chain/logs/fact';
import type { ContractName } from '@astro/chain/deployment/addresses';
import type { LocalChain } from './local-chain.fixture.js';

const gas = '0x989680';
const plenty = '0x8ac7230489e80000';

type Receipt = { readonly status: string; readonly blockNumber: string };

/** Sends transactions of whomever it is told, to the contracts of a local chain, and asks them. */
export class ContractCalls {
  constructor(readonly chain: LocalChain) {}

  addressOf(contract: ContractName): string {
    return this.chain.deployment.contracts[contract];
  }

  /** Lets an account without a known key send. */
  async impersonate(account: string): Promise<string> {
    await this.chain.call('anvil_impersonateAccount', account);
    await this.chain.call('anvil_setBalance', account, plenty);
    return account;
  }

  encode(contract: ContractName, name: string, ...args: readonly unknown[]): string {
    return interfaces[contract].encodeFunctionData(name, [...args]);
  }

  /** @throws Error when the contract refuses it */
  async send(from: string, contract: ContractName, name: string, ...args: readonly unknown[]): Promise<void> {
    const data = this.encode(contract, name, ...args);
    const hash = await this.chain.call('eth_sendTransaction', {
      from,
      to: this.addressOf(contract),
      gas,
      data,
    });
    for (;;) {
      const receipt = (await this.chain.call('eth_getTransactionReceipt', hash)) as Receipt | null;
      if (receipt?.status === '0x0')
        throw new Error(`${contract}.${name} was refused: ${await this.#why(from, contract, data)}`);
      if (receipt !== null) return;
      await this.chain.call('evm_mine');
    }
  }

  async ask(contract: ContractName, name: string, ...args: readonly unknown[]): Promise<readonly unknown[]> {
    const call = { to: this.addressOf(contract), data: this.encode(contract, name, ...args) };
    const answer = (await this.chain.call('eth_call', call, 'latest')) as string;
    return [...interfaces[contract].decodeFunctionResult(name, answer)] as readonly unknown[];
  }

  async pass(seconds: number): Promise<void> {
    await this.chain.call('evm_increaseTime', seconds);
    await this.chain.call('evm_mine');
  }

  async now(): Promise<number> {
    const block = (await this.chain.call('eth_getBlockByNumber', 'latest', false)) as { timestamp: string };
    return Number(block.timestamp);
  }

  /** Of a list with one payout, which needs no proof. */
  async rootOf(
    payout: readonly [list: string, index: number, account: string, amount: bigint],
  ): Promise<string> {
    const words = payout.map(word => BigInt(word).toString(16).padStart(64, '0'));
    return this.#keccak(await this.#keccak(`0x${words.join('')}`));
  }

  async #keccak(bytes: string): Promise<string> {
    return (await this.chain.call('web3_sha3', bytes)) as string;
  }

  async #why(from: string, contract: ContractName, data: string): Promise<string> {
    return this.chain.call('eth_call', { from, to: this.addressOf(contract), data }, 'latest').then(
      () => 'now it is not',
      (error: unknown) => String(error),
    );
  }
}
