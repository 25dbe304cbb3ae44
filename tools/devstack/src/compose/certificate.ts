import { webcrypto } from 'node:crypto';
import { x509 } from '@astro/attestation/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const VALID_YEARS = 10;

/** Both in PEM. */
export type Certificate = { readonly certificate: string; readonly key: string };

/**
 * A certificate that speaks for itself, for an installation that nobody outside knows: who connects must be told to
 * trust it. On the internet a certificate of a public authority belongs in its place.
 */
export async function makeCertificate(
  names: readonly [string, ...string[]],
  addresses: readonly string[],
): Promise<Certificate> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const notAfter = new Date();
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + VALID_YEARS);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${names[0]}`,
    notAfter,
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        ...names.map(value => ({ type: 'dns', value }) as const),
        ...addresses.map(value => ({ type: 'ip', value }) as const),
      ]),
    ],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return { certificate: certificate.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
}
