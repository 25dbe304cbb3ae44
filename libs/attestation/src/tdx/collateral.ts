import type { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { demandChain, demandUnrevoked, earliest, nameOf, readCertificates } from '../certificates.js';
import { demand, EvidenceRefused } from '../verdict.js';

const pem = z.string().min(1);
const hex = z.string().regex(/^([0-9a-fA-F]{2})+$/, 'must be hexadecimal digits');

/** What Intel publishes of a family of processors, in the form that `@phala/dcap-qvl` and its tools write. */
export const tdxCollateral = z.object({
  root_ca_crl: hex,
  pck_crl: hex,
  pck_crl_issuer_chain: pem,
  tcb_info: z.string(),
  tcb_info_issuer_chain: pem,
  tcb_info_signature: hex,
  qe_identity: z.string(),
  qe_identity_issuer_chain: pem,
  qe_identity_signature: hex,
});
export type TdxCollateral = z.output<typeof tdxCollateral>;

const dated = {
  issueDate: z.iso.datetime().transform(text => new Date(text)),
  nextUpdate: z.iso.datetime().transform(text => new Date(text)),
  tcbEvaluationDataNumber: z.int(),
};
const tcbInfo = z.object({
  ...dated,
  fmspc: z.string(),
  tdxModule: z.object({ mrsigner: hex, attributes: hex, attributesMask: hex }),
});
export type TcbInfo = z.output<typeof tcbInfo>;
const qeIdentity = z.object(dated);

const readTcbInfo = (collateral: TdxCollateral): TcbInfo => read(tcbInfo, collateral.tcb_info, 'TCB info');

/** @throws EvidenceRefused when there is none for this family */
export function collateralFor(all: readonly TdxCollateral[], fmspc: string): TdxCollateral {
  const found = all.find(one => readTcbInfo(one).fmspc.toLowerCase() === fmspc);
  if (!found) throw new EvidenceRefused('collateral', `there is none for processors of family ${fmspc}`);
  return found;
}

export type CheckedCollateral = { readonly tcbInfo: TcbInfo; readonly restsUntil: Date };

/**
 * What the library that verifies quotes leaves out or is lax about: who signed the lists of revoked certificates and
 * for when, which certificates are authorities, and that it is Intel's signer of TCBs who signed them.
 * @param pckChain of the quote: its own certificate and the authority, without the root
 * @throws EvidenceRefused
 */
export async function checkCollateral(
  collateral: TdxCollateral,
  pckChain: readonly [X509Certificate, X509Certificate],
  root: X509Certificate,
  { now, minimumTcbEvaluation }: { readonly now: Date; readonly minimumTcbEvaluation: number },
): Promise<CheckedCollateral> {
  const [pck, authority] = pckChain;
  demandNamed(pck, 'Intel SGX PCK Certificate');
  demandChain([pck, authority, root], now);
  const signers = [collateral.tcb_info_issuer_chain, collateral.qe_identity_issuer_chain].map(chain => {
    const [signer] = readCertificates(chain);
    demand(signer !== undefined, 'collateral', 'its signer is missing');
    demandNamed(signer, 'Intel SGX TCB Signing');
    demandChain([signer, root], now);
    return signer;
  });
  const rootList = Buffer.from(collateral.root_ca_crl, 'hex');
  const ofRoot = await demandUnrevoked([authority, ...signers, root], rootList, root, now);
  const ofPck = await demandUnrevoked([pck], Buffer.from(collateral.pck_crl, 'hex'), authority, now);
  const info = readTcbInfo(collateral);
  const identity = read(qeIdentity, collateral.qe_identity, 'QE identity');
  for (const [name, { issueDate, nextUpdate, tcbEvaluationDataNumber: evaluation }] of [
    ['TCB info', info],
    ['QE identity', identity],
  ] as const) {
    demand(issueDate <= now && now <= nextUpdate, 'collateral', `the ${name} is not of today`);
    const isRecent = evaluation >= minimumTcbEvaluation;
    demand(isRecent, 'collateral', `the ${name} is of evaluation ${evaluation}, not ${minimumTcbEvaluation}`);
  }
  const ends = [pck, authority, root, ...signers].map(certificate => certificate.validToDate);
  return {
    tcbInfo: info,
    restsUntil: earliest(info.nextUpdate, identity.nextUpdate, ofRoot, ofPck, ...ends),
  };
}

function demandNamed(certificate: X509Certificate, name: string): void {
  demand(nameOf(certificate) === name, 'chain', `${nameOf(certificate)} stands where ${name} should`);
}

function read<Schema extends z.ZodType>(schema: Schema, text: string, name: string): z.output<Schema> {
  const parsed = schema.safeParse(jsonOrNothing(text));
  if (!parsed.success) throw new EvidenceRefused('collateral', `the ${name} cannot be read`);
  return parsed.data;
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
