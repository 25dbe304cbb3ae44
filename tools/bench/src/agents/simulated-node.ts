import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentLink, type AgentLinkOptions } from '@astro/jetstream/agent-link';
import { agentKeyPair } from '@astro/jetstream/credentials';
import type { Assignment } from '@astro/messages/agent';
import { resultDigest } from '@astro/messages/result-digest';
import { signNodeToken } from '@astro/runtime/node-token';

const TOKEN_TTL_SECONDS = 60;
const HEARTBEAT_MS = 15_000;
const ATTEMPTS_MAX = 5;

export type Enrolling = {
  readonly gatewayUrl: string;
  readonly operatorKey: string;
  readonly region: string;
};

type Credentials = { readonly jwt: string; readonly servers: readonly string[] };

/**
 * A node as the platform sees it: it enrols over HTTP, connects with its own key and JWT, beats, hears its desired
 * state and reports. What it is given it ends at once, with a result that follows from the task alone.
 */
export class SimulatedNode {
  readonly #seed32 = new Uint8Array(randomBytes(32));
  readonly #enrolling: Enrolling;
  readonly #known = new Set<string>();
  #nodeId: string | undefined;
  #link: AgentLink | undefined;
  #beating: NodeJS.Timeout | undefined;
  /** Tasks that it has ended. */
  tasks = 0;

  constructor(enrolling: Enrolling) {
    this.#enrolling = enrolling;
  }

  get nodeId(): string {
    if (this.#nodeId === undefined) throw new Error('the node has not enrolled yet');
    return this.#nodeId;
  }

  get isConnected(): boolean {
    return this.#link?.isUp ?? false;
  }

  /** Enrols and connects. */
  async join(): Promise<void> {
    const { publicKey } = agentKeyPair(this.#seed32);
    const answer = await this.#post<{ nodeId: string; credentials: Credentials }>(
      '/v1/nodes',
      this.#enrolling.operatorKey,
      { publicKey, offer: offerIn(this.#enrolling.region) },
    );
    this.#nodeId = answer.nodeId;
    await this.#connect(answer.credentials);
  }

  /** Gone without a word, as if the power had failed. */
  async leave(): Promise<void> {
    clearInterval(this.#beating);
    const link = this.#link;
    this.#link = undefined;
    await link?.close();
  }

  /** Back with the same key and fresh credentials. */
  async comeBack(): Promise<void> {
    const token = await signNodeToken({
      nodeId: this.nodeId,
      seed32: this.#seed32,
      ttlSeconds: TOKEN_TTL_SECONDS,
    });
    await this.#connect(await this.#post<Credentials>(`/v1/nodes/${this.nodeId}/credentials`, token));
  }

  async #connect({ jwt, servers }: Credentials): Promise<void> {
    const link = await this.#linked({
      servers: servers.join(','),
      nodeId: this.nodeId,
      access: () => ({ jwt, seed32: this.#seed32 }),
      name: this.nodeId,
    });
    this.#link = link;
    link.onDesired(({ assignments }) => {
      for (const assignment of assignments) void this.#work(link, assignment);
    });
    const beat = () =>
      link.heartbeat({ agentVersion: 'simulated', cpuPercent: 0, memoryUsedMib: 0, runningLeases: 0 });
    beat();
    this.#beating = setInterval(beat, HEARTBEAT_MS);
    await link.report('DesiredStateWanted', { revision: 0 });
  }

  /** A server that waits too long for an answer of this busy process refuses it: that is tried again. */
  async #linked(options: AgentLinkOptions): Promise<AgentLink> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await AgentLink.connect(options);
      } catch (error) {
        if (attempt === ATTEMPTS_MAX) throw error;
        await sleep(attempt * 1_000);
      }
    }
  }

  async #work(link: AgentLink, { poolId, leaseId, fencingToken }: Assignment): Promise<void> {
    if (this.#known.has(leaseId)) return;
    this.#known.add(leaseId);
    const lease = { poolId, leaseId, fencingToken };
    try {
      await link.report('TaskStarted', lease);
      const digest = resultDigest('none', []);
      await link.report('TaskCompleted', { ...lease, fault: 'none', outputs: [], digest });
      this.tasks += 1;
    } catch {
      // It left in the middle: the lease expires, and somebody else does the task.
      this.#known.delete(leaseId);
    }
  }

  /** The registry takes many enrolments a second and not any number at once, so a refusal for now is tried again. */
  async #post<Answer>(path: string, bearer: string, body?: unknown): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const response = await fetch(`${this.#enrolling.gatewayUrl}${path}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${bearer}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (response.ok && response.status !== 202) return JSON.parse(text) as Answer;
      if (attempt === ATTEMPTS_MAX) throw new Error(`${path} was answered ${response.status}: ${text}`);
      await sleep(attempt * 1_000);
    }
  }
}

const offerIn = (region: string) => ({
  region,
  pricePerSecondAtto: '1000000000000',
  inventory: {
    devices: [
      { kind: 'cpu', vendor: 'AMD', model: 'EPYC 9354', memoryMib: 4_096 },
      { kind: 'gpu', vendor: 'NVIDIA', model: 'L40S', memoryMib: 46_068 },
    ],
    ...{ cpuMillis: 4_000, memoryMib: 4_096, diskMib: 65_536 },
    ...{ operatingSystem: 'linux', architecture: 'x64', runtimes: ['wasm'] },
  },
});
