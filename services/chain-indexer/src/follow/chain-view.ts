import { bloomOf, mayHold } from '@astro/chain/logs/bloom';
import type { Endpoint, RpcCall } from '@astro/chain/rpc/endpoint';
import { EndpointFailed } from '@astro/chain/rpc/failures';
import type { BlockIndexed } from '@astro/messages/chain';

/** A block as it is on the chain, with the logs of ours. */
export type Block = Omit<BlockIndexed, 'final'>;
export type Header = Pick<Block, 'number' | 'hash' | 'parentHash' | 'time'> & {
  readonly bloom: string;
  readonly transactions: number;
};
export type Heads = { readonly head: number; readonly final: number };

type WireHeader = {
  readonly number: string;
  readonly hash: string;
  readonly parentHash: string;
  readonly timestamp: string;
  readonly logsBloom: string;
  readonly transactions: readonly unknown[];
};
type WireLog = {
  readonly address: string;
  readonly topics: readonly string[];
  readonly data: string;
  readonly blockHash: string;
  readonly transactionHash: string;
  readonly logIndex: string;
};
type WireReceipt = { readonly blockHash: string; readonly logs: readonly WireLog[] };

const callsPerRequest = 50;
/** Receipts of a full block may be many megabytes. */
const receiptsPerRequest = 10;
/** The node makes the next answers while one is being read. */
const requestsAtOnce = 3;

/**
 * What one endpoint says of the chain, checked as far as it can be: blocks must follow each other by their hashes, and
 * the receipts of a block must be all of its receipts, whose logs give the bloom of its header. So an endpoint that
 * leaves logs out, or that changes its mind in between, fails instead of making a gap.
 */
export class ChainView {
  readonly #names: ReadonlyMap<string, string>;
  readonly #finalityBlocks: number | undefined;

  /**
   * @param contracts name and address
   * @param finalityBlocks how deep a final block is, for a chain whose nodes do not know; otherwise they are asked
   */
  constructor(contracts: Readonly<Record<string, string>>, finalityBlocks?: number) {
    this.#names = new Map(Object.entries(contracts).map(([name, address]) => [address.toLowerCase(), name]));
    this.#finalityBlocks = finalityBlocks;
  }

  async heads(endpoint: Endpoint): Promise<Heads> {
    const head = Number(await endpoint.call('eth_blockNumber'));
    if (this.#finalityBlocks !== undefined) return { head, final: Math.max(0, head - this.#finalityBlocks) };
    const final = (await endpoint.call('eth_getBlockByNumber', 'finalized', false)) as WireHeader | null;
    return { head, final: Math.min(head, Number(final?.number ?? 0)) };
  }

  /** Hash of each block, undefined for one that the endpoint does not have. */
  async hashes(endpoint: Endpoint, numbers: readonly number[]): Promise<readonly (string | undefined)[]> {
    const calls = numbers.map(number => headerCall(number));
    const found = await inParts<WireHeader | null>(endpoint, calls, callsPerRequest);
    return found.map(header => header?.hash);
  }

  /** The blocks from one number to another, both included, in their order. @throws EndpointFailed */
  async blocks(endpoint: Endpoint, from: number, to: number): Promise<readonly Block[]> {
    const headers = await this.#headers(endpoint, from, to);
    const promising = headers.filter(({ bloom }) =>
      [...this.#names.keys()].some(name => mayHold(bloom, name)),
    );
    const calls = promising.map(({ hash }) => ({ method: 'eth_getBlockReceipts', params: [hash] }));
    const receipts = await inParts<readonly WireReceipt[] | null>(endpoint, calls, receiptsPerRequest);
    const logs = new Map(
      promising.map((header, index) => [header.hash, this.#logsIn(endpoint, header, receipts[index] ?? [])]),
    );
    return headers.map(({ number, hash, parentHash, time }) => {
      return { number, hash, parentHash, time, logs: logs.get(hash) ?? [] };
    });
  }

  async #headers(endpoint: Endpoint, from: number, to: number): Promise<readonly Header[]> {
    const calls = Array.from({ length: to - from + 1 }, (_, index) => headerCall(from + index));
    const headers = (await inParts<WireHeader | null>(endpoint, calls, callsPerRequest)).map(
      (header, index) => {
        if (header === null) throw new EndpointFailed(endpoint.name, `has no block ${from + index}`);
        return headerOf(header);
      },
    );
    for (const [index, header] of headers.entries()) {
      if (header.number !== from + index || (index > 0 && header.parentHash !== headers[index - 1]!.hash))
        throw new EndpointFailed(endpoint.name, `block ${header.number} does not follow the one before it`);
    }
    return headers;
  }

  #logsIn(endpoint: Endpoint, header: Header, receipts: readonly WireReceipt[]): Block['logs'] {
    const all = receipts.flatMap(({ logs }) => logs);
    const isWhole =
      receipts.length === header.transactions &&
      receipts.every(({ blockHash }) => blockHash === header.hash) &&
      all.every(({ logIndex }, index) => Number(logIndex) === index) &&
      bloomOf(all) === header.bloom;
    if (!isWhole)
      throw new EndpointFailed(endpoint.name, `the receipts of block ${header.number} are not all of them`);
    return all.flatMap(log => {
      const contract = this.#names.get(log.address);
      if (contract === undefined) return [];
      const { logIndex, transactionHash, topics, data } = log;
      return {
        contract,
        index: Number(logIndex),
        transactionHash: bytesOf(transactionHash),
        topics: topics.map(bytesOf),
        data: bytesOf(data),
      };
    });
  }
}

async function inParts<T>(
  endpoint: Endpoint,
  calls: readonly RpcCall[],
  size: number,
): Promise<readonly T[]> {
  const parts = Array.from({ length: Math.ceil(calls.length / size) }, (_, part) =>
    calls.slice(part * size, (part + 1) * size),
  );
  const results: (readonly T[])[] = [];
  let next = 0;
  const ask = async (): Promise<void> => {
    for (let part = next++; part < parts.length; part = next++) {
      const answers = await endpoint.batch(parts[part]!);
      results[part] = answers.map(answer => {
        if ('refused' in answer) throw new EndpointFailed(endpoint.name, answer.refused.message);
        return answer.result as T;
      });
    }
  };
  try {
    await Promise.all(Array.from({ length: requestsAtOnce }, ask));
  } finally {
    next = parts.length; // nothing more is asked for what has failed
  }
  return results.flat();
}

const headerCall = (number: number): RpcCall => ({
  method: 'eth_getBlockByNumber',
  params: [`0x${number.toString(16)}`, false],
});

const headerOf = (header: WireHeader): Header => ({
  number: Number(header.number),
  hash: header.hash,
  parentHash: header.parentHash,
  time: new Date(Number(header.timestamp) * 1_000),
  bloom: header.logsBloom,
  transactions: header.transactions.length,
});

const bytesOf = (hex: string): Uint8Array => Buffer.from(hex.slice(2), 'hex');
