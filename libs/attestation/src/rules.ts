import { createHash } from 'node:crypto';
import { z } from 'zod';

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`), `must be ${bytes} bytes in lower-case hex`);
const svn = z.int().min(0).max(255);
const version = z.string().regex(/^[0-9A-Fa-f]+(\.[0-9A-Fa-f]+)*$/, 'must be numbers separated by dots');
const seconds = z.int().min(1);

/** Security versions of AMD's firmware, each of which must be reached. `fmc` exists from Turin on. */
const tcb = z.strictObject({ fmc: svn.default(0), bootloader: svn, tee: svn, snp: svn, microcode: svn });
export type Tcb = z.output<typeof tcb>;

/**
 * A platform of Intel's is `UpToDate`, or something is to be done about it. The other statuses that an operator may
 * choose to accept are those in which Intel asks for a setting or for hardened software, not for new firmware.
 */
const tdxStatus = z.enum([
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
]);

const tdxMeasurement = z.strictObject({
  mrTd: hex(48),
  /** Those registers that must have this value; the others may have any. */
  rtMr0: hex(48).optional(),
  rtMr1: hex(48).optional(),
  rtMr2: hex(48).optional(),
  rtMr3: hex(48).optional(),
});
export type TdxMeasurement = z.output<typeof tdxMeasurement>;

/** What the platform expects of evidence, by kind. What is absent is refused. */
export const rules = z.strictObject({
  /** How long accepted evidence counts, unless what it rests on ends before. */
  validitySeconds: seconds.max(30 * 86_400).default(86_400),
  sevSnp: z
    .strictObject({
      measurements: z.array(hex(48)).min(1),
      minimumTcb: z.record(z.string(), tcb).meta({ description: 'By product: Milan, Genoa, Turin' }),
      /** Privilege level that may ask for reports: 0 is the guest's firmware and kernel. */
      vmplMax: z.int().min(0).max(3).default(0),
    })
    .optional(),
  tdx: z
    .strictObject({
      measurements: z.array(tdxMeasurement).min(1),
      statuses: z.array(tdxStatus).min(1).default(['UpToDate']),
      /** Of Intel's collateral: older evaluations did not know of newer flaws. */
      minimumTcbEvaluation: z.int().min(0),
    })
    .optional(),
  nvidia: z
    .strictObject({
      issuer: z.string().min(1),
      hardwareModels: z.array(z.string().min(1)).min(1),
      minimumDriver: version,
      minimumVbios: version,
      maxTokenAgeSeconds: seconds.max(86_400).default(600),
    })
    .optional(),
});

export type Rules = z.output<typeof rules>;

/** Changes with every change of the rules: what was accepted says by which. */
export const rulesDigest = (accepted: Rules): string =>
  createHash('sha256').update(JSON.stringify(accepted)).digest('hex');

/** Compares part by part. Decimal parts keep their order when they are read as hexadecimal. */
export function isAtLeast(given: string, minimum: string): boolean {
  const parts = (text: string) => text.split('.').map(part => Number.parseInt(part, 16));
  const [ours, theirs] = [parts(given), parts(minimum)];
  if (ours.some(part => !Number.isSafeInteger(part))) return false;
  for (const [index, least] of theirs.entries()) {
    const part = ours[index] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}
