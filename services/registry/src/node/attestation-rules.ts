import type { Attestation, AttestationKind, Offer } from '@astro/messages/registry';

/** Evidence is gathered anew from time to time: a machine that was sound a month ago may not be today. */
const MAX_VALIDITY_MS = 30 * 24 * 3_600_000;
const SHA256 = /^[0-9a-f]{64}$/;

/** The first rule that the attestation breaks, as `field: rule`; undefined when it breaks none. */
export function attestationProblem(attestation: Attestation): string | undefined {
  const { kind, evidenceDigest, acceptedAt, expiresAt } = attestation;
  if (kind === 'unspecified') return 'kind: must be specified';
  if (!SHA256.test(evidenceDigest)) return 'evidenceDigest: must be a SHA-256 of 64 hexadecimal digits';
  const validityMs = expiresAt.getTime() - acceptedAt.getTime();
  return validityMs > 0 && validityMs <= MAX_VALIDITY_MS
    ? undefined
    : `expiresAt: must be after acceptedAt, by at most ${MAX_VALIDITY_MS} ms`;
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
