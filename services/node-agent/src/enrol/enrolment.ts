import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttestationKind, Inventory, MaintenanceWindow } from '@astro/messages/registry';
import { signNodeToken } from '@astro/runtime/node-token';
import { z } from 'zod';
import type { GatewayClient } from '../gateway/gateway-client.js';
import type { Identity } from '../identity/identity.js';
import { readJson, writeJson } from '../state/json-file.js';

const TOKEN_TTL_SECONDS = 60;

const credentials = z.object({
  jwt: z.string().min(1),
  expiresAt: z.iso.datetime().transform(text => new Date(text)),
  servers: z.array(z.string()).min(1),
});
const enrolled = z.object({ nodeId: z.string().regex(/^node_[0-9a-z]{26}$/), credentials });
const stored = z.object({ nodeId: enrolled.shape.nodeId, enrolment: z.string() });

/** What logs the node in to the bus, together with its key. */
export type Credentials = z.output<typeof credentials>;

export type EnrolmentOptions = {
  readonly stateDir: string;
  readonly operatorKey: string;
  readonly offer: {
    readonly region: string;
    readonly inventory: Inventory;
    readonly pricePerSecondAtto: string;
    readonly interruptiblePricePerSecondAtto?: string;
    readonly pricePerGibTransferredAtto?: string;
    readonly contentUrl?: string;
    readonly attestationClaimed?: AttestationKind;
    readonly maintenance: readonly MaintenanceWindow[];
  };
};

/** Changes with all of an offer that a new enrolment would change, but for the free space on the disk. */
export function offerFingerprint(offer: EnrolmentOptions['offer']): string {
  const inventory = { ...offer.inventory, diskMib: 0 };
  return createHash('sha256')
    .update(JSON.stringify({ ...offer, inventory }))
    .digest('hex');
}

/** The node's place in the registry: taken once, with the operator's key; from then on the node speaks for itself. */
export class Enrolment {
  readonly #gateway: GatewayClient;
  readonly #identity: Identity;
  readonly #options: Omit<EnrolmentOptions, 'offer'>;
  #offer: EnrolmentOptions['offer'];

  constructor(gateway: GatewayClient, identity: Identity, { offer, ...options }: EnrolmentOptions) {
    this.#gateway = gateway;
    this.#identity = identity;
    this.#options = options;
    this.#offer = offer;
  }

  /** What the next enrolment offers. */
  offers(offer: EnrolmentOptions['offer']): void {
    this.#offer = offer;
  }

  /** The id that this node has, if it enrolled before for the same operator and with the same offer. */
  async enrolledAs(): Promise<string | undefined> {
    const node = await readJson(this.#file);
    if (node === undefined) return undefined;
    const parsed = stored.safeParse(node);
    if (!parsed.success)
      throw new Error(`${this.#file} does not say which node this is; remove it to enrol again`);
    return parsed.data.enrolment === this.#fingerprint ? parsed.data.nodeId : undefined;
  }

  /** Repeating after a lost answer gives the same node: the gateway derives its id from the key. */
  async enrol(signal: AbortSignal): Promise<{ nodeId: string; credentials: Credentials }> {
    const { publicKey } = this.#identity;
    const request = {
      method: 'POST',
      path: '/v1/nodes',
      authorization: () => this.#options.operatorKey,
      json: { publicKey, offer: this.#offer },
    } as const;
    const answer = await this.#gateway.json(request, enrolled, signal);
    await writeJson(this.#file, { nodeId: answer.nodeId, enrolment: this.#fingerprint });
    return answer;
  }

  async renew(nodeId: string, signal: AbortSignal): Promise<Credentials> {
    const request = {
      method: 'POST',
      path: `/v1/nodes/${nodeId}/credentials`,
      authorization: () => this.token(nodeId),
    } as const;
    return this.#gateway.json(request, credentials, signal);
  }

  /** The next start or attempt enrols again. */
  async forget(): Promise<void> {
    await rm(this.#file, { force: true });
  }

  /** Proves to the gateway that a request comes from this node. */
  token(nodeId: string): Promise<string> {
    return signNodeToken({ nodeId, seed32: this.#identity.seed32, ttlSeconds: TOKEN_TTL_SECONDS });
  }

  /** Changes with all that a new enrolment would change. */
  get #fingerprint(): string {
    const parts = [this.#identity.publicKey, this.#options.operatorKey, offerFingerprint(this.#offer)];
    return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  }

  get #file(): string {
    return join(this.#options.stateDir, 'node.json');
  }
}
