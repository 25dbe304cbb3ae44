import { createHash } from 'node:crypto';
import type { Accepted } from '@astro/attestation/verdict';
import type { Message } from '@astro/event-sourcing/decider';
import type { AggregateStore } from '@astro/jetstream/aggregate-store';
import type { AnyAggregateStore } from '@astro/jetstream/command-lane';
import { reasonOf } from '@astro/jetstream/log';
import type { Attestation, NodeCommand, PresentEvidence } from '@astro/messages/registry';
import type { Outcome } from '@astro/messages/runtime';
import { logFor } from '@astro/runtime/logging';
import type { Node } from '../node/node.js';
import { readExpectations } from './expectations.reader.js';
import { VerifierThread } from './verifier-thread.loop.js';

type NodeStore = Pick<AggregateStore<unknown, Message, Message>, 'execute' | 'load'>;
type Origin = Parameters<AnyAggregateStore['execute']>[2];

export type EvidenceRejection =
  | 'EvidenceIsNotExpected'
  | 'NodeNotEnrolled'
  | 'ChallengeIsUnknown'
  | 'EvidenceIsRefused'
  | 'EvidenceIsUndecided';

/**
 * Takes evidence, has it verified, and has the node decide what follows. Nothing is recorded of evidence that is
 * refused: whoever sent it learns why, and may try again.
 */
export class EvidenceQuestions implements AnyAggregateStore {
  readonly #log = logFor('evidence');
  readonly #verifier: VerifierThread | undefined = undefined;
  /** One document of each, so that no node keeps the thread from the others. */
  readonly #verifying = new Set<string>();

  constructor(
    folder: string | undefined,
    private readonly nodes: NodeStore,
  ) {
    if (folder === undefined) return;
    this.#verifier = new VerifierThread(folder);
    // It is read again for each evidence, so that a folder that is wrong today can be put right while this runs.
    readExpectations(folder).then(
      ({ rulesDigest }) => this.#log.info('evidence is verified', { rulesDigest }),
      (error: unknown) => this.#log.error('no evidence can be verified', { reason: reasonOf(error) }),
    );
  }

  async execute(nodeId: string, { data }: Message, origin: Origin): Promise<Outcome> {
    const { nonce, evidence } = data as PresentEvidence;
    const { state } = await this.nodes.load(nodeId);
    const node = state as Node;
    const refused = (rejection: EvidenceRejection, detail: string): Outcome => {
      this.#log.warn(`evidence of ${nodeId} is refused`, { rejection, detail });
      const { commandId } = origin;
      return { commandId, accepted: false, rejection, detail, position: 0, changed: false };
    };
    if (!this.#verifier) return refused('EvidenceIsNotExpected', 'this platform verifies none');
    if (node.status === 'absent') return refused('NodeNotEnrolled', nodeId);
    if (node.challenge?.nonce !== nonce)
      return refused('ChallengeIsUnknown', 'nonce: is not that of the open challenge');
    if (this.#verifying.has(nodeId)) return refused('EvidenceIsUndecided', 'evidence is being verified');
    const now = new Date();
    const asked = { document: evidence, nonce: Buffer.from(nonce, 'hex'), nodeKey: node.publicKey, now };
    this.#verifying.add(nodeId);
    const verified = await this.#verifier.verify(asked).catch(reasonOf);
    this.#verifying.delete(nodeId);
    if (typeof verified === 'string') return refused('EvidenceIsUndecided', verified);
    const { verdict, rulesDigest } = verified;
    if (!verdict.accepted)
      return refused('EvidenceIsRefused', `evidence: ${verdict.reason}: ${verdict.detail}`);
    const attestation = attestationOf(verdict, evidence, { acceptedAt: now, rulesDigest });
    return this.#attest({ nodeId, attestation, nonce }, origin);
  }

  async #attest(data: (NodeCommand & { readonly type: 'AttestNode' })['data'], origin: Origin) {
    const command: NodeCommand = { type: 'AttestNode', data };
    const outcome = await this.nodes.execute(data.nodeId, command, origin);
    return outcome.accepted ? { ...outcome, answer: JSON.stringify(data.attestation) } : outcome;
  }
}

function attestationOf(
  { kind, expiresAt, measurement, firmware, hardwareClass, deviceCount }: Accepted,
  document: Uint8Array,
  { acceptedAt, rulesDigest }: { readonly acceptedAt: Date; readonly rulesDigest: string },
): Attestation {
  return {
    kind,
    evidenceDigest: createHash('sha256').update(document).digest('hex'),
    acceptedAt,
    // What comes from a thread may be of another realm, which the codec takes for no date.
    expiresAt: new Date(expiresAt),
    findings: { measurement, firmware, hardwareClass, rulesDigest, deviceCount },
  };
}
