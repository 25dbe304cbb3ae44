import {
  JsonRpcApiProvider,
  Network,
  type JsonRpcError,
  type JsonRpcPayload,
  type JsonRpcResult,
} from 'ethers';
import type { RpcPool } from './pool.js';

/** What ethers' contracts and wallets talk through, on top of a pool of endpoints. */
export class PoolProvider extends JsonRpcApiProvider {
  readonly #pool: RpcPool;

  constructor(pool: RpcPool, chainId: number) {
    const network = Network.from(chainId);
    super(network, { staticNetwork: network, batchMaxCount: 100, cacheTimeout: -1 });
    this.#pool = pool;
    this._start();
  }

  override async _send(
    payload: JsonRpcPayload | JsonRpcPayload[],
  ): Promise<(JsonRpcResult | JsonRpcError)[]> {
    const payloads = Array.isArray(payload) ? payload : [payload];
    const calls = payloads.map(({ method, params }) => ({ method, params: params as readonly unknown[] }));
    const answers = await this.#pool.batch(calls);
    return answers.map((answer, index) => {
      const { id } = payloads[index]!;
      if ('result' in answer) return { id, result: answer.result };
      const { code, message, data } = answer.refused;
      return { id, error: { code, message, data } };
    });
  }
}

/** @throws ChainUnavailable @throws Error when the chain is not the one that was meant */
export async function chainIdOf(pool: RpcPool): Promise<number> {
  return Number(await pool.call('eth_chainId'));
}
