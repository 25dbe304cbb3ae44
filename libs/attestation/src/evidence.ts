import { z } from 'zod';
import { EvidenceRefused } from './verdict.js';

/** Of the whole document. The largest that is real, of a machine with eight devices, has some 50 KB. */
export const EVIDENCE_LIMIT_BYTES = 128 * 1_024;
const DEVICES_MAX = 16;

/** In base64. */
const bytes = (max: number) => z.base64().max(Math.ceil(max / 3) * 4);
const token = z.string().min(1).max(16_384);

const sevSnp = z.strictObject({
  kind: z.literal('sev_snp'),
  report: bytes(4_096),
  certificates: z
    .array(bytes(4_096))
    .min(1)
    .max(4)
    .meta({ description: 'In DER: the VCEK or VLEK, then the ASK' }),
});
const tdx = z.strictObject({
  kind: z.literal('tdx'),
  quote: bytes(16_384).meta({ description: 'With the chain of its PCK certificate inside' }),
});
const machine = z.discriminatedUnion('kind', [sevSnp, tdx]);
const nvidia = z.strictObject({
  kind: z.literal('nvidia_cc'),
  machine: machine.meta({ description: 'The confidential machine that the devices are in' }),
  overallToken: token.meta({ description: 'Of the verifier, over all devices' }),
  deviceTokens: z
    .record(z.string().min(1).max(64), token)
    .refine(tokens => Object.keys(tokens).length <= DEVICES_MAX, `must be at most ${DEVICES_MAX}`),
});

/** What a node sends, in JSON. */
export const evidenceDocument = z.discriminatedUnion('kind', [sevSnp, tdx, nvidia]);
export type EvidenceDocument = z.output<typeof evidenceDocument>;

export type SevSnpEvidence = {
  readonly kind: 'sev_snp';
  readonly report: Uint8Array;
  readonly certificates: readonly Uint8Array[];
};
export type TdxEvidence = { readonly kind: 'tdx'; readonly quote: Uint8Array };
export type MachineEvidence = SevSnpEvidence | TdxEvidence;
export type NvidiaEvidence = Omit<z.output<typeof nvidia>, 'machine'> & { readonly machine: MachineEvidence };
export type Evidence = MachineEvidence | NvidiaEvidence;

/** @throws EvidenceRefused */
export function readEvidence(document: Uint8Array): Evidence {
  if (document.length > EVIDENCE_LIMIT_BYTES)
    throw new EvidenceRefused('oversized', `evidence must be at most ${EVIDENCE_LIMIT_BYTES} bytes`);
  const parsed = evidenceDocument.safeParse(jsonOrNothing(document));
  if (parsed.success) return inBytes(parsed.data);
  const [issue] = parsed.error.issues;
  const isTooLong = issue?.code === 'too_big';
  throw new EvidenceRefused(
    isTooLong ? 'oversized' : 'malformed',
    `${issue?.path.join('.') || 'evidence'}: ${issue?.message ?? 'is not evidence'}`,
  );
}

function inBytes(document: EvidenceDocument): Evidence {
  return document.kind === 'nvidia_cc'
    ? { ...document, machine: machineInBytes(document.machine) }
    : machineInBytes(document);
}

const machineInBytes = (document: z.output<typeof machine>): MachineEvidence =>
  document.kind === 'tdx'
    ? { kind: 'tdx', quote: decoded(document.quote) }
    : { kind: 'sev_snp', report: decoded(document.report), certificates: document.certificates.map(decoded) };

const decoded = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

function jsonOrNothing(document: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(document).toString('utf8'));
  } catch {
    return undefined;
  }
}
