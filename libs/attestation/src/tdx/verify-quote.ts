import type { X509Certificate } from 'node:crypto';
import { intel, Quote, QuoteVerifier, type TDReport10, type VerifiedReport } from '@phala/dcap-qvl';
import { demandBinding } from '../binding.js';
import { readCertificates } from '../certificates.js';
import type { TdxEvidence } from '../evidence.js';
import type { MachineVerdict, Question } from '../question.js';
import type { TdxMeasurement } from '../rules.js';
import { demand, EvidenceRefused } from '../verdict.js';
import { checkCollateral, collateralFor, type TcbInfo, type TdxCollateral } from './collateral.js';

/** The lowest byte of a trust domain's attributes: whoever sets any of it can look inside. */
const UNTRUSTED_BYTE = 0;

/**
 * A quote of a trust domain, version 4 or 5. Signatures, the quoting enclave's identity and the status of the
 * platform's TCB are the library's; the collateral's own trust and what the platform expects are checked here.
 * @throws EvidenceRefused
 */
export async function verifyQuote(
  evidence: TdxEvidence,
  { rules, roots, now, nonce, nodeKey }: Question,
): Promise<MachineVerdict> {
  demand(rules.tdx !== undefined, 'kind', 'evidence of TDX is not expected');
  demand(roots.intel !== undefined, 'collateral', 'there is none of Intel');
  const { root, collateral: known } = roots.intel;
  const { quote, report, version } = readQuote(evidence.quote);
  const pckChain = pckChainOf(quote);
  const collateral = collateralFor(known, Buffer.from(familyOf(quote)).toString('hex'));
  const { minimumTcbEvaluation } = rules.tdx;
  const checked = await checkCollateral(collateral, pckChain, root, { now, minimumTcbEvaluation });
  const { status } = verified(evidence.quote, report, collateral, { root, now });

  demandIntelsModule(report, checked.tcbInfo);
  demandBinding(report.reportData, nonce, nodeKey);
  const isAcceptable = rules.tdx.statuses.some(one => one === status);
  demand(isAcceptable, 'firmware', `the TCB of the platform is ${status}`);
  const isExpected = rules.tdx.measurements.some(one => isMeasured(report, one));
  const measurement = hexOf(report.mrTd);
  demand(isExpected, 'measurement', `${measurement} and its registers are not expected`);
  return {
    measurement,
    firmware: `TEE TCB SVN ${hexOf(report.teeTcbSvn)}, ${status}`,
    hardwareClass: `Intel TDX ${version}`,
    restsUntil: checked.restsUntil,
  };
}

/** Of quotes from version 4 on: the quoting enclave's report, with the chain of the key that signed it. */
const QE_REPORT_CERTIFICATION = 6;

type ReadQuote = { readonly quote: Quote; readonly report: TDReport10; readonly version: string };

function readQuote(bytes: Uint8Array): ReadQuote {
  const quote = understood(() => Quote.parse(bytes), 'the quote cannot be read');
  const { data: certified } = quote.authData;
  const isNested = certified.certificationData.certType === QE_REPORT_CERTIFICATION;
  demand(isNested, 'malformed', 'the quote is certified in a way that is not known');
  const { type, data } = quote.report;
  if (type === 'td10') return { quote, report: data as TDReport10, version: '1.0' };
  const extended = quote.report.asTd15();
  demand(extended !== null, 'malformed', `the quote is of ${type}, and not of a trust domain`);
  return { quote, report: extended.base, version: '1.5' };
}

/** The root that quotes have at the end is not needed: the one that is trusted takes its place. */
function pckChainOf(quote: Quote): readonly [X509Certificate, X509Certificate] {
  const pem = understood(() => quote.rawCertChain(), 'the quote holds no chain of its PCK certificate');
  const [pck, authority] = readCertificates(Buffer.from(pem).toString('latin1'));
  demand(pck !== undefined && authority !== undefined, 'chain', 'the chain of the PCK is too short');
  return [pck, authority];
}

const familyOf = (quote: Quote): Uint8Array =>
  understood(() => intel.getFmspc(quote), 'the PCK certificate does not say of what family it is');

type Trust = { readonly root: X509Certificate; readonly now: Date };

/** Collateral has no chain of PCK certificates here, with which the library would not read the quote's own. */
function verified(
  quote: Uint8Array,
  report: TDReport10,
  collateral: TdxCollateral,
  { root, now }: Trust,
): VerifiedReport {
  try {
    return QuoteVerifier.newWithRootCa(root.raw).verify(quote, { ...collateral }, now.getTime() / 1_000);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    // It says only in words what it missed. The report may be forged here, which is as good a reason.
    if (report.tdAttributes[UNTRUSTED_BYTE] !== 0) throw new EvidenceRefused('debug', detail);
    throw new EvidenceRefused('signature', detail);
  }
}

/** The module that keeps trust domains apart is Intel's own. */
function demandIntelsModule(report: TDReport10, { tdxModule }: TcbInfo): void {
  const [attributes, mask] = [tdxModule.attributes, tdxModule.attributesMask].map(text =>
    Buffer.from(text, 'hex'),
  );
  const isSigner = hexOf(report.mrSignerSeam) === tdxModule.mrsigner.toLowerCase();
  const isConfigured = report.seamAttributes.every(
    (byte, index) => (byte & (mask![index] ?? 0xff)) === (attributes![index] ?? 0),
  );
  demand(isSigner && isConfigured, 'firmware', 'the TDX module is not one of Intel');
}

const isMeasured = (report: TDReport10, expected: TdxMeasurement): boolean =>
  (['mrTd', 'rtMr0', 'rtMr1', 'rtMr2', 'rtMr3'] as const).every(
    register => expected[register] === undefined || expected[register] === hexOf(report[register]),
  );

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function understood<T>(read: () => T, otherwise: string): T {
  try {
    return read();
  } catch {
    throw new EvidenceRefused('malformed', otherwise);
  }
}
