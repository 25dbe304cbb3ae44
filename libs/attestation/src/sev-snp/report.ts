import { demand } from '../verdict.js';

/** AMD's "SEV Secure Nested Paging Firmware ABI Specification", table ATTESTATION_REPORT. */
export const REPORT_BYTES = 1_184;
export const SIGNED_BYTES = 0x2a0;
export const CHIP_ID_BYTES = 64;
/** Of each half of a signature, which is written backwards: 48 bytes that count, and room for larger curves. */
const SCALAR_BYTES = 72;
const P384_BYTES = 48;
const ECDSA_P384_SHA384 = 1;
const VERSIONS = [2, 3, 4, 5];

/** Bits of the guest's policy. */
const MIGRATION_AGENT = 1n << 18n;
const DEBUG = 1n << 19n;

export type SigningKey = 'vcek' | 'vlek' | 'none';
const signingKeys: readonly SigningKey[] = ['vcek', 'vlek'];

export type Report = {
  readonly vmpl: number;
  readonly mayBeDebugged: boolean;
  readonly mayBeMigrated: boolean;
  readonly signingKey: SigningKey;
  readonly reportData: Uint8Array;
  /** In hexadecimal digits. */
  readonly measurement: string;
  /** Eight bytes, whose meaning differs between products. */
  readonly reportedTcb: Uint8Array;
  readonly chipId: Uint8Array;
  readonly signed: Uint8Array;
  /** r and s in the order that node:crypto expects. */
  readonly signature: Uint8Array;
};

/** @throws EvidenceRefused */
export function readReport(bytes: Uint8Array): Report {
  demand(
    bytes.length === REPORT_BYTES,
    'malformed',
    `a report has ${REPORT_BYTES} bytes, not ${bytes.length}`,
  );
  const report = Buffer.from(bytes);
  const version = report.readUInt32LE(0x00);
  demand(VERSIONS.includes(version), 'malformed', `reports of version ${version} are not known`);
  const algorithm = report.readUInt32LE(0x34);
  demand(algorithm === ECDSA_P384_SHA384, 'malformed', `signatures of kind ${algorithm} are not known`);
  const policy = report.readBigUInt64LE(0x08);
  const flags = report.readUInt32LE(0x48);
  return {
    vmpl: report.readUInt32LE(0x30),
    mayBeDebugged: (policy & DEBUG) !== 0n,
    mayBeMigrated: (policy & MIGRATION_AGENT) !== 0n,
    signingKey: signingKeys[(flags >> 2) & 0b111] ?? 'none',
    reportData: report.subarray(0x50, 0x90),
    measurement: report.subarray(0x90, 0xc0).toString('hex'),
    reportedTcb: report.subarray(0x180, 0x188),
    chipId: report.subarray(0x1a0, 0x1a0 + CHIP_ID_BYTES),
    signed: report.subarray(0, SIGNED_BYTES),
    signature: Buffer.concat([scalar(report, 0), scalar(report, 1)]),
  };
}

function scalar(report: Buffer, index: number): Buffer {
  const from = SIGNED_BYTES + index * SCALAR_BYTES;
  const [counting, room] = [from + P384_BYTES, from + SCALAR_BYTES];
  demand(
    report.subarray(counting, room).every(byte => byte === 0),
    'malformed',
    'the signature is larger than its curve',
  );
  return Buffer.from(report.subarray(from, counting)).reverse();
}
