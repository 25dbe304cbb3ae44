import { earliest } from './certificates.js';
import { readEvidence, type Evidence, type MachineEvidence } from './evidence.js';
import { verifyTokens } from './nvidia/verify-tokens.js';
import type { MachineVerdict, Question } from './question.js';
import { verifyReport } from './sev-snp/verify-report.js';
import { verifyQuote } from './tdx/verify-quote.js';
import { EvidenceRefused, type Accepted, type Findings, type Refused } from './verdict.js';

/**
 * Whether the document proves what the platform expects of a node. Reads no clock, no file and no network: all that it
 * is held against is in the question.
 */
export async function verifyEvidence(document: Uint8Array, question: Question): Promise<Accepted | Refused> {
  try {
    const evidence = readEvidence(document);
    const { restsUntil, ...findings } = await findingsOf(evidence, question);
    const validUntil = new Date(question.now.getTime() + question.rules.validitySeconds * 1_000);
    return {
      accepted: true,
      kind: evidence.kind,
      ...findings,
      expiresAt: earliest(validUntil, restsUntil),
      boundKey: question.nodeKey,
    };
  } catch (error) {
    if (!(error instanceof EvidenceRefused)) throw error;
    return { accepted: false, reason: error.reason, detail: error.detail };
  }
}

async function findingsOf(
  evidence: Evidence,
  question: Question,
): Promise<Findings & Pick<MachineVerdict, 'restsUntil'>> {
  if (evidence.kind !== 'nvidia_cc') return { ...(await ofMachine(evidence, question)), deviceCount: 0 };
  const machine = await ofMachine(evidence.machine, question);
  const devices = await verifyTokens(evidence, question);
  return {
    measurement: machine.measurement,
    firmware: `${machine.firmware}; ${devices.firmware}`,
    hardwareClass: `${machine.hardwareClass} with NVIDIA ${devices.models}`,
    deviceCount: devices.deviceCount,
    restsUntil: earliest(machine.restsUntil, devices.restsUntil),
  };
}

const ofMachine = (evidence: MachineEvidence, question: Question): Promise<MachineVerdict> =>
  evidence.kind === 'tdx' ? verifyQuote(evidence, question) : verifyReport(evidence, question);
