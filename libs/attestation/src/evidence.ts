import { z } from 'zod';
import { EvidenceRefused } from './verdict.js';

/** Of the whole document. The largest that is real, of a machine with eight devices, has some 50 KB. */
export const EVIDENCE_LIMIT_BYTES = 128 * 1_024;
const DEVICES_MAX = 16;

const bytes = (max: number) =>
  z
    .base64()
    .max(Math.ceil(max / 3) * 4)
    .transform(text => new Uint8Array(Buffer.from(text, 'base64')));
const token = z.string().min(1).max(16_384);

const sevSnp = z.strictObject({
  kind: z.literal('sev_snp'),
  report: bytes(4_096),
  /** In DER: the VCEK or VLEK, then the ASK. */
  certificates: z.array(bytes(4_096)).min(1).max(4),
});
const tdx = z.strictObject({
  kind: z.literal('tdx'),
  /** With the chain of its PCK certificate inside. */
  quote: bytes(16_384),
});
const nvidia = z.strictObject({
  kind: z.literal('nvidia_cc'),
  /** The machine that the devices are in. */
  machine: z.discriminatedUnion('kind', [sevSnp, tdx]),
  /** Of NVIDIA's verifier: one over all devices, and one for each. */
  overallToken: token,
  deviceTokens: z
    .record(z.string().min(1).max(64), token)
    .refine(tokens => Object.keys(tokens).length <= DEVICES_MAX, `must be at most ${DEVICES_MAX}`),
});

/** What a node sends, in JSON; bytes in base64. */
export const evidenceDocument = z.discriminatedUnion('kind', [sevSnp, tdx, nvidia]);

export type SevSnpEvidence = z.output<typeof sevSnp>;
export type TdxEvidence = z.output<typeof tdx>;
export type NvidiaEvidence = z.output<typeof nvidia>;
export type MachineEvidence = SevSnpEvidence | TdxEvidence;
export type Evidence = z.output<typeof evidenceDocument>;
/** As it is sent. */
export type EvidenceDocument = z.input<typeof evidenceDocument>;

/** @throws EvidenceRefused */
export function readEvidence(document: Uint8Array): Evidence {
  if (document.length > EVIDENCE_LIMIT_BYTES)
    throw new EvidenceRefused('oversized', `evidence must be at most ${EVIDENCE_LIMIT_BYTES} bytes`);
  const parsed = evidenceDocument.safeParse(jsonOrNothing(document));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const isTooLong = issue?.code === 'too_big';
  throw new EvidenceRefused(
    isTooLong ? 'oversized' : 'malformed',
    `${issue?.path.join('.') || 'evidence'}: ${issue?.message ?? 'is not evidence'}`,
  );
}

function jsonOrNothing(document: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(document).toString('utf8'));
  } catch {
    return undefined;
  }
}
