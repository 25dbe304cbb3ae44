import { X509Certificate } from 'node:crypto';
import type { X509Certificate as ParsedCertificate, X509Crl } from '@peculiar/x509';
import { demand, EvidenceRefused } from './verdict.js';
import { x509 } from './x509.js';

/** @throws EvidenceRefused */
export function readCertificate(der: Uint8Array | string): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch {
    throw new EvidenceRefused('malformed', 'a certificate cannot be read');
  }
}

/** Of a PEM file that may hold several. @throws EvidenceRefused */
export const readCertificates = (pem: string): readonly X509Certificate[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(readCertificate);

/** How it is called in a refusal. */
export const nameOf = (certificate: X509Certificate): string =>
  /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? 'a certificate without a name';

/**
 * Each certificate was issued by the next one, and the last one is a root that is trusted for other reasons. The first
 * speaks for itself alone, the others are authorities, and all of them are valid now.
 * @throws EvidenceRefused
 */
export function demandChain(chain: readonly X509Certificate[], now: Date): void {
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1] ?? certificate;
    const name = nameOf(certificate);
    demand(
      certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey),
      'chain',
      `${name} was not issued by ${nameOf(issuer)}`,
    );
    demand(certificate.ca === index > 0, 'chain', `${name} is not what its place in the chain says`);
    demand(certificate.validFromDate <= now, 'not_yet_valid', `${name} is valid from later on`);
    demand(now <= certificate.validToDate, 'expired', `${name} has expired`);
  }
}

/**
 * The list is its issuer's and the newest that there should be, and the certificates are not on it.
 * @returns until when the list counts
 * @throws EvidenceRefused
 */
export async function demandUnrevoked(
  certificates: readonly X509Certificate[],
  list: Uint8Array,
  issuer: X509Certificate,
  now: Date,
): Promise<Date> {
  const crl = readList(list, issuer);
  // It throws, rather than say no, where the list is signed by a key of another kind.
  const isGenuine = await crl.verify({ publicKey: parsed(issuer) }).catch(() => false);
  demand(isGenuine, 'collateral', `the list of revoked certificates is not that of ${nameOf(issuer)}`);
  const nextUpdate = crl.nextUpdate;
  const isCurrent = crl.thisUpdate <= now && nextUpdate !== undefined && now <= nextUpdate;
  demand(isCurrent, 'collateral', `the list of revoked certificates of ${nameOf(issuer)} is not of today`);
  for (const certificate of certificates) {
    const isRevoked = crl.findRevoked(parsed(certificate)) !== null;
    demand(!isRevoked, 'revoked', `${nameOf(certificate)} was revoked`);
  }
  return nextUpdate;
}

/** What Node's own class does not show: extensions, and the key as lists of revoked certificates need it. */
const parsed = (certificate: X509Certificate): ParsedCertificate =>
  new x509.X509Certificate(Buffer.from(certificate.raw));

/** The extension's value in DER; undefined when the certificate has no such extension. */
export function extensionOf(certificate: X509Certificate, oid: string): Uint8Array | undefined {
  const value = parsed(certificate).getExtension(oid)?.value;
  return value && new Uint8Array(value);
}

function readList(list: Uint8Array, issuer: X509Certificate): X509Crl {
  try {
    return new x509.X509Crl(Buffer.from(list));
  } catch {
    throw new EvidenceRefused(
      'collateral',
      `the list of revoked certificates of ${nameOf(issuer)} cannot be read`,
    );
  }
}

export const earliest = (first: Date, ...others: readonly Date[]): Date =>
  new Date(Math.min(first.getTime(), ...others.map(date => date.getTime())));
