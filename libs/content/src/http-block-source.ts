import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import type { Chunks } from './block.js';
import { AddressNotPublic, hostOf, isPublicAddress, publicLookup } from './public-address.js';
import { BlockMissing, type BlockSource } from './sources.js';

/** Without a byte for so long a request has failed. */
const SILENCE_MS = 15_000;

export type HttpSourceOptions = {
  /** Of a trustless gateway, without the path. */
  readonly url: string;
  readonly isLastResort?: boolean;
  /** Whether addresses of a private network or of this machine are asked too. Somebody else has named the source. */
  readonly takesPrivateAddresses: boolean;
  /** Value of the `Authorization` header, asked for with each request. */
  authorization(): Promise<string> | string;
};

/** Connections that are kept open between blocks, over all sources. */
const agents = {
  http: new HttpAgent({ keepAlive: true, maxFreeSockets: 32 }),
  https: new HttpsAgent({ keepAlive: true, maxFreeSockets: 32 }),
};

/** A trustless gateway of the IPFS specification that answers single blocks. */
export function httpBlockSource({
  url,
  isLastResort = false,
  takesPrivateAddresses,
  authorization,
}: HttpSourceOptions): BlockSource {
  return {
    name: url,
    isLastResort,
    async fetch(cid, limitBytes, signal) {
      const target = new URL(`${url}/ipfs/${cid}?format=raw`);
      const host = hostOf(url);
      // An address is connected to without being looked up.
      if (!takesPrivateAddresses && isIP(host) !== 0 && !isPublicAddress(host))
        throw new AddressNotPublic(`${host} is no public address`);
      const headers = { authorization: await authorization(), accept: 'application/vnd.ipld.raw' };
      const isSecure = target.protocol === 'https:';
      const send = isSecure ? requestHttps : requestHttp;
      const agent = isSecure ? agents.https : agents.http;
      return new Promise((resolve, reject) => {
        const looked = takesPrivateAddresses ? {} : { lookup: publicLookup };
        const options = { agent, headers, signal, timeout: SILENCE_MS, ...looked };
        const request = send(target, options, response =>
          receive(response, { cid, limitBytes }, outcome => {
            if (!(outcome instanceof Error)) return resolve(outcome);
            reject(outcome);
            // A request that is not read to its end keeps its connection from being used again.
            if (!response.complete) request.destroy();
          }),
        );
        request.on('timeout', () => request.destroy(new Error(`${url} is silent`)));
        request.on('error', reject);
        request.end();
      });
    },
  };
}

/** By events, which cost less for each chunk than an iterator does. */
function receive(
  response: IncomingMessage,
  { cid, limitBytes }: { readonly cid: string; readonly limitBytes: number },
  done: (outcome: Chunks | Error) => void,
): void {
  const { statusCode = 0 } = response;
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  response.on('error', done);
  response.on('data', (chunk: Uint8Array) => {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) {
      response.removeAllListeners('data');
      done(new Error(`${cid} came with more than ${limitBytes} bytes`));
    } else chunks.push(chunk);
  });
  response.on('end', () => {
    if (statusCode === 200) done(chunks);
    else if (statusCode === 404 || statusCode === 410) done(new BlockMissing(`${cid} is not there`));
    else done(new Error(`the source answered ${statusCode}`));
  });
}
