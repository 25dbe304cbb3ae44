import { verify } from 'node:crypto';
import { demandBinding } from '../binding.js';
import { demandChain, demandUnrevoked, earliest, nameOf, readCertificate } from '../certificates.js';
import type { SevSnpEvidence } from '../evidence.js';
import type { AmdRoot } from '../roots.js';
import type { Rules, Tcb } from '../rules.js';
import { demand } from '../verdict.js';
import type { MachineVerdict, Question } from '../question.js';
import { readEndorsement, tcbOf, type Endorsement } from './endorsement.js';
import { readReport, type Report } from './report.js';

/**
 * A report of AMD's secure processor: chain, revocation, signature; then that it is of the chip and the firmware whose
 * key signed it; then what the platform expects of it.
 * @throws EvidenceRefused
 */
export async function verifyReport(
  evidence: SevSnpEvidence,
  { rules, roots, now, nonce, nodeKey }: Question,
): Promise<MachineVerdict> {
  demand(rules.sevSnp !== undefined, 'kind', 'evidence of SEV-SNP is not expected');
  const report = readReport(evidence.report);
  const [key, authority] = evidence.certificates.map(readCertificate);
  demand(key !== undefined && authority !== undefined, 'chain', 'the certificate of the ASK is missing');
  const root = roots.amd.find(({ ark }) => authority.checkIssued(ark));
  demand(root !== undefined, 'chain', `${nameOf(authority)} was issued by no root that is trusted`);
  demandChain([key, authority, root.ark], now);
  const listEndsAt =
    root.crl === 'unknown'
      ? authority.validToDate
      : await demandUnrevoked([authority, root.ark], root.crl, root.ark, now);
  const publicKey = { key: key.publicKey, dsaEncoding: 'ieee-p1363' } as const;
  const isSigned = verify('sha384', report.signed, publicKey, report.signature);
  demand(isSigned, 'signature', `the report was not signed by the key of ${nameOf(key)}`);

  const tcb = tcbOf(root.product, report.reportedTcb);
  demandSameChip(report, readEndorsement(key), root, tcb);
  demandSealed(report, rules.sevSnp.vmplMax);
  demandBinding(report.reportData, nonce, nodeKey);
  demandFirmware(tcb, rules.sevSnp, root.product);
  demand(
    rules.sevSnp.measurements.includes(report.measurement),
    'measurement',
    `${report.measurement} is not among the measurements that are expected`,
  );
  return {
    measurement: report.measurement,
    firmware: tcbText(tcb),
    hardwareClass: `AMD SEV-SNP ${root.product}`,
    restsUntil: earliest(key.validToDate, authority.validToDate, root.ark.validToDate, listEndsAt),
  };
}

/** The key of a chip is derived from its firmware's versions: a certificate for others proves nothing of these. */
function demandSameChip(report: Report, endorsed: Endorsement, root: AmdRoot, tcb: Tcb): void {
  const { productName, hardwareId } = endorsed;
  const isOfProduct = productName === root.product || productName.startsWith(`${root.product}-`);
  demand(isOfProduct, 'chip', `the certificate is of a ${productName}, its root of ${root.product}`);
  const isSameTcb = tcbText(endorsed.tcb) === tcbText(tcb);
  demand(isSameTcb, 'chip', `the certificate is for ${tcbText(endorsed.tcb)}, the report of ${tcbText(tcb)}`);
  const kind = hardwareId ? 'vcek' : 'vlek';
  demand(report.signingKey === kind, 'chip', `the report says that its key is a ${report.signingKey}`);
  if (!hardwareId) return;
  // Turin's chips have shorter ids, and reports fill the rest with zeros.
  const id = Buffer.alloc(report.chipId.length);
  id.set(hardwareId.subarray(0, id.length));
  demand(id.equals(report.chipId), 'chip', 'the report is of another chip than the certificate');
}

function demandSealed(report: Report, vmplMax: number): void {
  demand(!report.mayBeDebugged, 'debug', 'the policy of the machine lets it be debugged');
  demand(!report.mayBeMigrated, 'policy', 'the policy of the machine lets an agent move it');
  demand(report.vmpl <= vmplMax, 'policy', `the report was asked for at privilege level ${report.vmpl}`);
}

function demandFirmware(tcb: Tcb, { minimumTcb }: NonNullable<Rules['sevSnp']>, product: string): void {
  const minimum = minimumTcb[product];
  demand(minimum !== undefined, 'hardware', `a ${product} is not expected`);
  for (const part of tcbParts) {
    const isEnough = tcb[part] >= minimum[part];
    demand(isEnough, 'firmware', `${part} is ${tcb[part]} and must be at least ${minimum[part]}`);
  }
}

const tcbParts = ['fmc', 'bootloader', 'tee', 'snp', 'microcode'] as const;
const tcbText = (tcb: Tcb): string => tcbParts.map(part => `${part} ${tcb[part]}`).join(', ');
