import type { AttestNode, Attestation, AttestationKind, Offer } from '@astro/messages/registry';
import type { Challenge } from './challenge-rules.js';

/** Evidence is gathered anew from time to time: a machine that was sound a month ago may not be today. */
const MAX_VALIDITY_MS = 30 * 24 * 3_600_000;
const SHA256 = /^[0-9a-f]{64}$/;

/** The first rule that the attestation breaks, as `field: rule`; undefined when it breaks none. */
export function attestationProblem(attestation: Attestation): string | undefined {
  const { kind, evidenceDigest, acceptedAt, expiresAt, findings } = attestation;
  if (kind === 'unspecified') return 'kind: must be specified';
  if (!SHA256.test(evidenceDigest)) return 'evidenceDigest: must be a SHA-256 of 64 hexadecimal digits';
  const hasDigest = findings === undefined || SHA256.test(findings.rulesDigest);
  if (!hasDigest) return 'findings.rulesDigest: must be a SHA-256 of 64 hexadecimal digits';
  const validityMs = expiresAt.getTime() - acceptedAt.getTime();
  return validityMs > 0 && validityMs <= MAX_VALIDITY_MS
    ? undefined
    : `expiresAt: must be after acceptedAt, by at most ${MAX_VALIDITY_MS} ms`;
}

export type EvidenceFlaw =
  'EvidenceIsMissing' | 'ChallengeIsUnknown' | 'ChallengeHasExpired' | 'DevicesAreMissing';

/**
 * What the evidence lacks to count for this node. Of a kind that the platform verifies itself, nobody's word is taken:
 * it answers the node's open challenge, which is used up by it. Of the other kinds there is the operator's word alone.
 */
export function evidenceFlaw(
  { attestation: { kind, acceptedAt, findings }, nonce }: AttestNode,
  challenge: Challenge | undefined,
  offer: Offer,
): readonly [EvidenceFlaw, detail: string] | undefined {
  if (nonce === undefined || findings === undefined)
    return kind === 'tpm'
      ? undefined
      : ['EvidenceIsMissing', `attestation.kind: ${kind} is proved by evidence`];
  if (challenge?.nonce !== nonce) return ['ChallengeIsUnknown', 'nonce: is not that of the open challenge'];
  if (acceptedAt > challenge.expiresAt) return ['ChallengeHasExpired', 'nonce: its challenge has expired'];
  const offered = offer.inventory.devices.filter(device => device.kind === 'gpu').length;
  const areProved = kind !== 'nvidia_cc' || offered === findings.deviceCount;
  return areProved
    ? undefined
    : ['DevicesAreMissing', `evidence: is of ${findings.deviceCount} devices, and ${offered} are offered`];
}

/** Whether what was proved of the node by the one offer holds under the other, which has the same machine. */
export const isSameMachine = (before: Offer, after: Offer): boolean => machineOf(before) === machineOf(after);

export const claims = ({ attestationClaimed }: Offer, kind: AttestationKind): boolean =>
  attestationClaimed === kind;

/** What evidence speaks of. Price, place and share of the machine may change beside it. */
const machineOf = ({ attestationClaimed, inventory }: Offer): string =>
  JSON.stringify([
    attestationClaimed ?? null,
    inventory.operatingSystem,
    inventory.architecture,
    inventory.devices.map(({ kind, vendor, model }) => [kind, vendor, model]),
  ]);
