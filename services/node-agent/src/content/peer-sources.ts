import { httpBlockSource } from '@astro/content/http-block-source';
import type { BlockSource } from '@astro/content/sources';
import type { DesiredState } from '@astro/messages/agent';
import type { PeerCredentials } from './peer-credentials.js';

/** As many as the platform names for one lease, whatever is written there. */
const HOLDERS_MAX = 8;

/** Other nodes that may hold what this node's leases need, as its desired state last told. */
export class PeerSources {
  readonly #credentials: PeerCredentials;
  readonly #takesPrivateAddresses: boolean;
  #holders: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map();

  /** @param takesPrivateAddresses whether nodes that are only reached from here are asked too */
  constructor(credentials: PeerCredentials, takesPrivateAddresses: boolean) {
    this.#credentials = credentials;
    this.#takesPrivateAddresses = takesPrivateAddresses;
  }

  /** What a holder is said to have is a claim: it is asked, and another one if it does not. */
  learn({ assignments }: DesiredState): void {
    const holders = new Map<string, Map<string, string>>();
    for (const { holders: told, program, inputs } of assignments) {
      for (const cid of [program.cid, ...inputs.map(input => input.cid)]) {
        const known = holders.get(cid) ?? new Map<string, string>();
        for (const { nodeId, contentUrl } of told?.nodes.slice(0, HOLDERS_MAX) ?? [])
          known.set(nodeId, contentUrl);
        holders.set(cid, known);
      }
    }
    this.#holders = holders;
  }

  of(cid: string): readonly BlockSource[] {
    const takesPrivateAddresses = this.#takesPrivateAddresses;
    return [...(this.#holders.get(cid) ?? [])].map(([nodeId, url]) => {
      const authorization = () => this.#credentials.authorizationFor(nodeId);
      return httpBlockSource({ url, takesPrivateAddresses, authorization });
    });
  }
}
