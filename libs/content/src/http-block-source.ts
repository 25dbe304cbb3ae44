import { isIP } from 'node:net';
import {
  BlockConnection,
  ConnectionIsGone,
  type Answer,
  type Destination,
  type Wanted,
} from './block-connection.js';
import { AddressNotPublic, hostOf, isPublicAddress } from './public-address.js';
import { BlockMissing, type BlockSource } from './sources.js';

/** Connections that are kept open between blocks, over all sources. */
const KEPT_MAX = 32;

export type HttpSourceOptions = {
  /** Of a trustless gateway, without the path. */
  readonly url: string;
  readonly isLastResort?: boolean;
  /** Whether addresses of a private network or of this machine are asked too. Somebody else has named the source. */
  readonly takesPrivateAddresses: boolean;
  /** Value of the `Authorization` header, asked for with each request. */
  authorization(): Promise<string> | string;
};

/** The most recently used last. */
const kept: BlockConnection[] = [];

/** A trustless gateway of the IPFS specification that answers single blocks, and says how large they are. */
export function httpBlockSource({
  url,
  isLastResort = false,
  takesPrivateAddresses,
  authorization,
}: HttpSourceOptions): BlockSource {
  return {
    name: url,
    isLastResort,
    async fetch(cid, limitBytes, signal, into) {
      const target = new URL(`${url}/ipfs/${cid}?format=raw`);
      const host = hostOf(url);
      // An address is connected to without being looked up.
      if (!takesPrivateAddresses && isIP(host) !== 0 && !isPublicAddress(host))
        throw new AddressNotPublic(`${host} is no public address`);
      const headers = { authorization: await authorization(), accept: 'application/vnd.ipld.raw' };
      const path = target.pathname + target.search;
      const { status, body } = await answered(
        { url: target, takesPrivateAddresses },
        { path, headers, limitBytes, into },
        signal,
      );
      if (status === 200) return body;
      if (status === 404 || status === 410) throw new BlockMissing(`${cid} is not there`);
      throw new Error(`the source answered ${status}`);
    },
  };
}

/** Over a kept connection if there is one; a server may have closed it while it was idle. */
async function answered(to: Destination, wanted: Wanted, signal: AbortSignal): Promise<Answer> {
  const used = kept.findLastIndex(connection => connection.isOpen && connection.leadsTo(to));
  if (used >= 0) {
    try {
      return await over(kept.splice(used, 1)[0]!, wanted, signal);
    } catch (error) {
      if (!(error instanceof ConnectionIsGone)) throw error;
    }
  }
  signal.throwIfAborted();
  return over(new BlockConnection(to), wanted, signal);
}

async function over(connection: BlockConnection, wanted: Wanted, signal: AbortSignal): Promise<Answer> {
  try {
    const answer = await connection.get(wanted, signal);
    if (!connection.isOpen) return answer;
    connection.rest();
    kept.push(connection);
    if (kept.length > KEPT_MAX) kept.shift()!.close();
    return answer;
  } catch (error) {
    connection.close();
    throw error;
  }
}
