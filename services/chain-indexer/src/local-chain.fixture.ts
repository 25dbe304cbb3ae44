import { anvilMnemonic, startAnvil, type AnvilServer } from '@astro/devstack/anvil/server';
import type { Deployment } from '@astro/chain/deployment/addresses';
import { readConfiguration } from '@astro/chain/deployment/configuration';
import { deploy } from '@astro/chain/deployment/deploy';
import { RpcPool } from '@astro/chain/rpc/pool';
import { walletFrom } from '@astro/chain/wallet';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const chainId = 31_337;
const liquidityIndex = 6;

type WireLog = { readonly blockHash: string; readonly logIndex: string; readonly address: string };

/** A real chain with the protocol on it, and somebody who moves tokens. */
export class LocalChain {
  private constructor(
    readonly anvil: AnvilServer,
    readonly pool: RpcPool,
    readonly deployment: Deployment,
  ) {}

  static async start(dir: string): Promise<LocalChain> {
    const anvil = await startAnvil({ dir: join(dir, 'anvil') });
    const pool = new RpcPool([anvil.url]);
    const json: unknown = JSON.parse(readFileSync('deploy/chain/local.json', 'utf8'));
    const deployment = await deploy({
      ...{ pool, chainId, wallet: walletFrom(anvilMnemonic, 0), configuration: readConfiguration(json) },
      keep: () => undefined,
      log: () => undefined,
    });
    return new LocalChain(anvil, pool, deployment);
  }

  call(method: string, ...params: readonly unknown[]): Promise<unknown> {
    return this.pool.call(method, ...params);
  }

  /** Each transfer makes a block. @param seed tells the receivers of one call from those of another */
  async transfer(count: number, seed: number): Promise<void> {
    const from = walletFrom(anvilMnemonic, liquidityIndex).address;
    for (let index = 0; index < count; index++) {
      const receiver = (seed * 1_000 + (index % 7) + 1).toString(16).padStart(64, '0');
      const amount = (index + 1).toString(16).padStart(64, '0');
      const data = `0xa9059cbb${receiver}${amount}`;
      const hash = await this.call('eth_sendTransaction', {
        from,
        to: this.deployment.contracts.token,
        data,
      });
      // The chain answers before it has made the block.
      while ((await this.call('eth_getTransactionReceipt', hash)) === null) await sleep(1);
    }
  }

  async head(): Promise<number> {
    return Number(await this.call('eth_blockNumber'));
  }

  async hashAt(number: number): Promise<string> {
    const block = (await this.call('eth_getBlockByNumber', `0x${number.toString(16)}`, false)) as {
      hash: string;
    };
    return block.hash;
  }

  /** `<block's hash>/<index>` of every log of ours that the chain has now. */
  async logs(): Promise<readonly string[]> {
    const address = Object.values(this.deployment.contracts);
    const logs = (await this.call('eth_getLogs', { address, fromBlock: '0x0' })) as readonly WireLog[];
    return logs.map(({ blockHash, logIndex }) => `${blockHash}/${Number(logIndex)}`);
  }

  async balanceOf(account: string): Promise<bigint> {
    const data = `0x70a08231${account.slice(2).padStart(64, '0')}`;
    return BigInt((await this.call('eth_call', { to: this.deployment.contracts.token, data })) as string);
  }

  async stop(): Promise<void> {
    this.pool.close();
    await this.anvil.stop();
  }
}
