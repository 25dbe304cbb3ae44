import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { EvidenceDocument } from '@astro/attestation/evidence';
import { certificatesIn } from './certificate-table.js';
import { readTsmReport, type TsmReport } from './tsm-report.js';

/** Where evidence comes from. */
export type EvidenceSource = {
  /** @param reportData 64 bytes that the machine is to sign */
  collect(reportData: Uint8Array): Promise<EvidenceDocument>;
};

export type MachineOptions = {
  readonly kind: 'sev_snp' | 'tdx';
  /** Folder of configfs-tsm. */
  readonly reports: string;
  /** Of the entry in it. */
  readonly entry: string;
  /** PEM file with the certificates of the chip's key and its authority, where the host hands none on. */
  readonly certificates?: string;
};

const kindOfProvider: Readonly<Record<string, 'sev_snp' | 'tdx'>> = {
  sev_guest: 'sev_snp',
  tdx_guest: 'tdx',
};

/** Asks the kernel, which asks the processor. */
export const machineEvidence = (options: MachineOptions): EvidenceSource => ({
  async collect(reportData) {
    const { kind, reports, entry } = options;
    const report = await readTsmReport(reports, entry, reportData);
    const given = kindOfProvider[report.provider];
    if (given !== kind) throw new Error(`this machine is ${report.provider}, and ATTESTATION says ${kind}`);
    if (kind === 'tdx') return { kind, quote: base64(report.report) };
    const certificates = await certificatesOf(report, options);
    return { kind, report: base64(report.report), certificates: certificates.map(base64) };
  },
});

async function certificatesOf(
  { auxiliary }: TsmReport,
  { certificates: file }: MachineOptions,
): Promise<readonly Uint8Array[]> {
  const handedOn = auxiliary ? certificatesIn(auxiliary) : [];
  if (handedOn.length === 2) return handedOn;
  if (file === undefined)
    throw new Error('the host hands on no certificates, and ATTESTATION_CERTIFICATES names no file');
  const pem = (await readFile(file, 'utf8')).match(
    /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g,
  );
  return (pem ?? []).map(one => new Uint8Array(new X509Certificate(one).raw));
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
