import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttestationKind, Inventory, MaintenanceWindow } from '@astro/messages/registry';
import { signNodeToken } from '@astro/runtime/node-token';
import { z } from 'zod';
import type { Report } from '../benchmark/benchmark.js';
import type { GatewayClient } from '../gateway/gateway-client.js';
import type { NodeKey } from '../identity/node-key.js';
import { finishRotation, rotateKey } from '../identity/rotate-key.js';
import { readJson, writeJson } from '../state/json-file.js';
import { credentials, type Credentials } from './credentials.js';

const TOKEN_TTL_SECONDS = 60;

const enrolled = z.object({ nodeId: z.string().regex(/^node_[0-9a-z]{26}$/), credentials });
const stored = z.object({ nodeId: enrolled.shape.nodeId, enrolment: z.string() });

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
    readonly encryptionRecipient?: string;
    readonly attestationClaimed?: AttestationKind;
    readonly validates?: boolean;
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
  readonly #key: NodeKey;
  readonly #options: Omit<EnrolmentOptions, 'offer'>;
  #offer: EnrolmentOptions['offer'];

  constructor(gateway: GatewayClient, key: NodeKey, { offer, ...options }: EnrolmentOptions) {
    this.#gateway = gateway;
    this.#key = key;
    this.#options = options;
    this.#offer = offer;
  }

  /** What the next enrolment offers. */
  offers(offer: EnrolmentOptions['offer']): void {
    this.#offer = offer;
  }

  /** The id that this node has, if it enrolled before for the same operator and with the same offer. */
  async enrolledAs(): Promise<string | undefined> {
    const node = await this.#node();
    return node?.enrolment === this.#fingerprint ? node.nodeId : undefined;
  }

  /**
   * Repeating after a lost answer gives the same node: the gateway derives its id from the key, the one that stands in
   * the folder now.
   */
  async enrol(signal: AbortSignal): Promise<{ nodeId: string; credentials: Credentials }> {
    await this.#key.reload();
    const { publicKey } = this.#key.current;
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

  /** With the key that stands in the folder: whoever rotated it there has made the one that is used here worthless. */
  async renew(nodeId: string, signal: AbortSignal): Promise<Credentials> {
    await this.#key.reload();
    const request = {
      method: 'POST',
      path: `/v1/nodes/${nodeId}/credentials`,
      authorization: () => this.token(nodeId),
    } as const;
    return this.#gateway.json(request, credentials, signal);
  }

  /** Gives this node another key. What was issued for the earlier one is worth nothing from then on. */
  async rotateKey(nodeId: string, signal: AbortSignal): Promise<Credentials> {
    const { stateDir } = this.#options;
    const given = await rotateKey({ stateDir, nodeId, gateway: this.#gateway, signal });
    await this.#key.reload();
    return given;
  }

  /** Ends a rotation that an earlier run of this agent, or a tool, left between its steps. */
  async finishRotation(signal: AbortSignal): Promise<void> {
    const node = await this.#node();
    if (!node) return;
    const { stateDir } = this.#options;
    await finishRotation({ stateDir, nodeId: node.nodeId, gateway: this.#gateway, signal });
    await this.#key.reload();
  }

  /** Tells the registry how fast this node is. @throws GatewayRefusal when no such machine can be so fast */
  async measured(nodeId: string, report: Report, signal: AbortSignal): Promise<void> {
    const request = {
      method: 'POST',
      path: `/v1/nodes/${nodeId}/measurements`,
      authorization: () => this.token(nodeId),
      json: report,
    } as const;
    await this.#gateway.request(request, signal);
  }

  /** The next start or attempt enrols again. */
  async forget(): Promise<void> {
    await rm(this.#file, { force: true });
  }

  /** Proves to the gateway that a request comes from this node. */
  token(nodeId: string): Promise<string> {
    return signNodeToken({ nodeId, seed32: this.#key.current.seed32, ttlSeconds: TOKEN_TTL_SECONDS });
  }

  async #node(): Promise<z.output<typeof stored> | undefined> {
    const node = await readJson(this.#file);
    if (node === undefined) return undefined;
    const parsed = stored.safeParse(node);
    if (!parsed.success)
      throw new Error(`${this.#file} does not say which node this is; remove it to enrol again`);
    return parsed.data;
  }

  /** Changes with all that a new enrolment would change. */
  get #fingerprint(): string {
    const parts = [this.#key.current.publicKey, this.#options.operatorKey, offerFingerprint(this.#offer)];
    return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  }

  get #file(): string {
    return join(this.#options.stateDir, 'node.json');
  }
}
