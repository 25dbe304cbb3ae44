import { reportDataOf } from '@astro/attestation/binding';
import { backOffMs, delay } from '@astro/jetstream/delay';
import { reasonOf, type Log } from '@astro/jetstream/log';
import { z } from 'zod';
import type { GatewayClient } from '../gateway/gateway-client.js';
import type { EvidenceSource } from './machine-evidence.js';

/** Evidence is renewed after this share of its life, so that a bad hour costs the node no work. */
const RENEW_AFTER = 0.5;
const RENEW_DELAY_MIN_MS = 1_000;
const RENEW_DELAY_MAX_MS = 24 * 3_600_000;
/** What was refused once is refused until somebody changes something. */
const BACK_OFF = { baseMs: 1_000, maxMs: 10 * 60_000 };

const challenge = z.object({ nonce: z.string().regex(/^[0-9a-f]{64}$/) });
const accepted = z.object({ expiresAt: z.iso.datetime().transform(text => new Date(text)) });

export type AttestingOptions = {
  readonly gateway: GatewayClient;
  readonly source: EvidenceSource;
  /** The node's as it is now, to which evidence is bound. */
  publicKey(): string;
  /** Proves to the gateway that a request comes from the node. */
  token(nodeId: string): Promise<string>;
  readonly log: Log;
};

/** Proves what the machine runs, again and again before the last proof expires. */
export class Attesting {
  #again = new AbortController();

  constructor(private readonly options: AttestingOptions) {}

  /** Until the signal. */
  async run(nodeId: string, signal: AbortSignal): Promise<void> {
    const { log } = this.options;
    for (let failures = 0; !signal.aborted;) {
      let delayMs: number;
      try {
        const expiresAt = await this.#attest(nodeId, signal);
        failures = 0;
        log.info('the evidence of this machine was accepted', { expiresAt: expiresAt.toISOString() });
        const lifeMs = expiresAt.getTime() - Date.now();
        delayMs = Math.min(Math.max(lifeMs * RENEW_AFTER, RENEW_DELAY_MIN_MS), RENEW_DELAY_MAX_MS);
      } catch (error) {
        if (signal.aborted) return;
        log.warn('what this machine runs was not proved', { reason: reasonOf(error) });
        delayMs = backOffMs(++failures, BACK_OFF);
      }
      await delay(delayMs, AbortSignal.any([signal, this.#again.signal]));
      if (this.#again.signal.aborted) this.#again = new AbortController();
    }
  }

  /** At once: of another offer, or under another key, nothing is proved. */
  again(): void {
    this.#again.abort();
  }

  async #attest(nodeId: string, signal: AbortSignal): Promise<Date> {
    const { gateway, source } = this.options;
    const authorization = () => this.options.token(nodeId);
    const path = `/v1/nodes/${nodeId}`;
    const asked = { method: 'POST', path: `${path}/attestation-challenges`, authorization } as const;
    const { nonce } = await gateway.json(asked, challenge, signal);
    const evidence = await source.collect(reportDataOf(Buffer.from(nonce, 'hex'), this.options.publicKey()));
    const json = { nonce, evidence };
    const presented = { method: 'POST', path: `${path}/attestations`, authorization, json } as const;
    return (await gateway.json(presented, accepted, signal)).expiresAt;
  }
}
