import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { contractNames, type Deployment } from '@astro/chain/deployment/addresses';
import { RpcPool } from '@astro/chain/rpc/pool';
import { launchAnvil, localChainId, type AnvilServer } from '@astro/devstack/anvil/server';
import { repositoryRoot } from '@astro/devstack/repository';
import { z } from 'zod';

export const transfersPerBlock = 500;
/** Above what the transactions here need: an account's first tokens cost 22,100 gas and its log. */
const gas = '0x1c9c380';
const compileLimitMs = 60_000;
const maxCompiledBytes = 64 * 1024 ** 2;
const balancesPerRequest = 500;
const blocksPerCount = 50;
const pollMs = 5;

const compiled = z.object({
  contracts: z.object({
    'BatchToken.sol': z.object({
      BatchToken: z.object({
        evm: z.object({
          bytecode: z.object({ object: z.string() }),
          methodIdentifiers: z.record(z.string(), z.string()),
        }),
      }),
    }),
  }),
});

type Receipt = {
  readonly status: string;
  readonly blockNumber: string;
  readonly contractAddress: string | null;
};
type Log = { readonly topics: readonly [string, string, string] };

/** A chain of its own with a token that makes as many transfers as are wanted, each transaction a block. */
export class BatchChain {
  readonly token: string;
  readonly #methods: Readonly<Record<string, string>>;
  readonly #options: {
    readonly from: string;
    readonly accounts: number;
    readonly before: Deployment['before'];
  };
  #seed = 0;
  #last: unknown;
  #isByClock = false;

  private constructor(
    readonly anvil: AnvilServer,
    readonly pool: RpcPool,
    token: { readonly address: string; readonly methods: Readonly<Record<string, string>> },
    options: { readonly from: string; readonly accounts: number; readonly before: Deployment['before'] },
  ) {
    this.token = token.address;
    this.#methods = token.methods;
    this.#options = options;
  }

  /** @param accounts that the transfers are between; each has been issued to once */
  static async start(dir: string, accounts: number): Promise<BatchChain> {
    const anvil = await launchAnvil({ dir }, []);
    const pool = new RpcPool([anvil.url], { callsPerSecond: 1_000_000 });
    const genesis = (await pool.call('eth_getBlockByNumber', '0x0', false)) as { readonly hash: string };
    const [from] = (await pool.call('eth_accounts')) as readonly string[];
    const { bytecode, methodIdentifiers } = await compiledToken();
    // Its own mining at each transaction misses one now and then under load.
    await pool.call('evm_setAutomine', false);
    const created = await pool.call('eth_sendTransaction', { from, gas, data: `0x${bytecode.object}` });
    await pool.call('evm_mine');
    const receipt = (await pool.call('eth_getTransactionReceipt', created)) as Receipt;
    const before = { number: 0, hash: genesis.hash };
    const token = { address: receipt.contractAddress!, methods: methodIdentifiers };
    const chain = new BatchChain(anvil, pool, token, { from: from!, accounts, before });
    for (let first = 0; first < accounts; first += transfersPerBlock)
      await chain.#send('issue(uint256,uint256)', first, Math.min(transfersPerBlock, accounts - first));
    await chain.#untilMined();
    return chain;
  }

  /**
   * Blocks of so many transfers each. Where blocks come by the clock, one takes all that was sent since the last.
   * @returns the number of the last of them
   */
  async shuffle(blocks: number, transfers = transfersPerBlock): Promise<number> {
    for (let block = 0; block < blocks; block++)
      await this.#send('shuffle(uint256,uint256,uint256)', ++this.#seed, transfers, this.#options.accounts);
    return this.#untilMined();
  }

  async head(): Promise<number> {
    return Number(await this.pool.call('eth_blockNumber'));
  }

  /** How many the chain has logged. */
  async transfers(): Promise<number> {
    let count = 0;
    const head = await this.head();
    for (let from = 1; from <= head; from += blocksPerCount) {
      const range = { fromBlock: hex(from), toBlock: hex(Math.min(head, from + blocksPerCount - 1)) };
      count += ((await this.pool.call('eth_getLogs', { address: this.token, ...range })) as unknown[]).length;
    }
    return count;
  }

  /** @param seconds from one block to the next; undefined: each transaction makes one */
  async mineEvery(seconds: number | undefined): Promise<void> {
    await this.pool.call('evm_setIntervalMining', seconds ?? 0);
    this.#isByClock = seconds !== undefined;
  }

  /** A number of blocks with nothing in them. */
  async mine(blocks: number): Promise<void> {
    await this.pool.call('anvil_mine', hex(blocks));
  }

  /** What the token says that each of its accounts has. */
  async balances(): Promise<ReadonlyMap<string, bigint>> {
    const holders = await this.#holders();
    const balances = new Map<string, bigint>();
    for (let from = 0; from < holders.length; from += balancesPerRequest) {
      const part = holders.slice(from, from + balancesPerRequest);
      const calls = part.map(holder => {
        const data = this.#method('balanceOf(address)') + holder.slice(2).padStart(64, '0');
        return { method: 'eth_call', params: [{ to: this.token, data }, 'latest'] };
      });
      for (const [index, answer] of (await this.pool.batch(calls)).entries()) {
        if ('refused' in answer) throw answer.refused;
        balances.set(part[index]!, BigInt(answer.result as string));
      }
    }
    return balances;
  }

  /** As a deployment whose token it is; the other contracts are nowhere. */
  deployment(): Deployment {
    const elsewhere = contractNames.map((name, index) => [name, addressOf(index + 1)]);
    const contracts = { ...Object.fromEntries(elsewhere), token: this.token } as Deployment['contracts'];
    return { chainId: localChainId, before: this.#options.before, deployer: this.token, contracts };
  }

  async stop(): Promise<void> {
    this.pool.close();
    await this.anvil.stop();
  }

  #method(signature: string): string {
    return `0x${this.#methods[signature]!}`;
  }

  /** Whoever something was issued to. */
  async #holders(): Promise<readonly string[]> {
    const { accounts } = this.#options;
    const issued = { fromBlock: '0x1', toBlock: hex(Math.ceil(accounts / transfersPerBlock) + 1) };
    const logs = (await this.pool.call('eth_getLogs', { address: this.token, ...issued })) as readonly Log[];
    return logs.map(({ topics: [, , to] }) => `0x${to.slice(26)}`);
  }

  async #send(signature: string, ...words: readonly number[]): Promise<void> {
    const { from } = this.#options;
    const data = this.#method(signature) + words.map(word => word.toString(16).padStart(64, '0')).join('');
    this.#last = await this.pool.call('eth_sendTransaction', { from, to: this.token, gas, data });
    if (!this.#isByClock) await this.pool.call('evm_mine');
  }

  /** @throws Error when the last transaction was reverted */
  async #untilMined(): Promise<number> {
    for (;;) {
      const receipt = (await this.pool.call('eth_getTransactionReceipt', this.#last)) as Receipt | null;
      if (receipt?.status === '0x0') throw new Error('a transaction of the benchmark was reverted');
      if (receipt !== null) return Number(receipt.blockNumber);
      await sleep(pollMs);
    }
  }
}

const addressOf = (number: number): string => `0x${number.toString(16).padStart(40, '0')}`;
const hex = (value: number): string => `0x${value.toString(16)}`;
/** By the compiler that the platform's own contracts are compiled by. */
async function compiledToken() {
  const file = new URL('../../contracts/BatchToken.sol', import.meta.url);
  const input = {
    language: 'Solidity',
    sources: { 'BatchToken.sol': { content: readFileSync(file, 'utf8') } },
    settings: {
      evmVersion: 'cancun',
      optimizer: { enabled: true, runs: 200 },
      outputSelection: { '*': { '*': ['evm.bytecode.object', 'evm.methodIdentifiers'] } },
    },
  };
  const compiler = join(repositoryRoot, 'contracts/tools/solc.mjs');
  const output = await new Promise<string>((resolve, reject) => {
    const limits = { timeout: compileLimitMs, maxBuffer: maxCompiledBytes };
    const child = execFile(process.execPath, [compiler, '--standard-json'], limits, (error, stdout) =>
      error ? reject(new Error('the token could not be compiled', { cause: error })) : resolve(stdout),
    );
    child.stdin!.end(JSON.stringify(input));
  });
  return compiled.parse(JSON.parse(output)).contracts['BatchToken.sol'].BatchToken.evm;
}
