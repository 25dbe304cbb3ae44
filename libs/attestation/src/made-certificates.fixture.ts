import { webcrypto } from 'node:crypto';
import type { Extension, X509Certificate } from '@peculiar/x509';
import { x509 } from './x509.js';

const HOUR_MS = 3_600_000;
export const RSA = { name: 'RSA-PSS', hash: 'SHA-384', saltLength: 48 } as const;
export const P384 = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' } as const;
export const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
type Algorithm = typeof RSA | typeof P384 | typeof P256;
type Keys = webcrypto.CryptoKeyPair;

/** One that holds a key and a certificate for it. */
export type Holder = {
  readonly algorithm: Algorithm;
  readonly keys: Keys;
  readonly certificate: X509Certificate;
};

export type Wish = {
  readonly name: string;
  readonly algorithm: Algorithm;
  readonly now: Date;
  /** Its own when it is not given. */
  readonly issuer?: Holder;
  readonly isAuthority?: boolean;
  readonly extensions?: readonly Extension[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly keys?: Keys;
};

let serial = 1;

export async function makeHolder(wish: Wish): Promise<Holder> {
  const { name, algorithm, now, issuer, isAuthority = false, extensions = [] } = wish;
  const keys = wish.keys ?? (await makeKeys(algorithm));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: (++serial).toString(16).padStart(4, '0'),
    subject: `CN=${name}`,
    issuer: issuer?.certificate.subject ?? `CN=${name}`,
    notBefore: wish.notBefore ?? new Date(now.getTime() - HOUR_MS),
    notAfter: wish.notAfter ?? new Date(now.getTime() + 1_000 * HOUR_MS),
    signingAlgorithm: issuer?.algorithm ?? algorithm,
    publicKey: keys.publicKey,
    signingKey: issuer?.keys.privateKey ?? keys.privateKey,
    extensions: [new x509.BasicConstraintsExtension(isAuthority), ...extensions],
  });
  return { algorithm, keys, certificate };
}

export async function makeList(
  issuer: Holder,
  now: Date,
  { revoked = [], nextUpdate }: { readonly revoked?: readonly Holder[]; readonly nextUpdate?: Date } = {},
): Promise<Uint8Array> {
  const list = await x509.X509CrlGenerator.create({
    issuer: issuer.certificate.subject,
    thisUpdate: new Date(now.getTime() - HOUR_MS),
    nextUpdate: nextUpdate ?? new Date(now.getTime() + 500 * HOUR_MS),
    signingAlgorithm: issuer.algorithm,
    signingKey: issuer.keys.privateKey,
    entries: revoked.map(({ certificate: { serialNumber } }) => ({ serialNumber, revocationDate: now })),
  });
  return new Uint8Array(list.rawData);
}

export const derOf = ({ certificate }: Holder): Uint8Array => new Uint8Array(certificate.rawData);
export const pemOf = (...holders: readonly Holder[]): string =>
  holders.map(({ certificate }) => certificate.toString('pem')).join('\n');

/** r and s one after the other. */
export async function sign({ keys, algorithm }: Pick<Holder, 'keys' | 'algorithm'>, bytes: Uint8Array) {
  const signature = await webcrypto.subtle.sign(algorithm, keys.privateKey, Buffer.from(bytes));
  return Buffer.from(signature);
}

export async function makeKeys(algorithm: Algorithm): Promise<Keys> {
  const wanted =
    algorithm.name === 'RSA-PSS'
      ? { ...algorithm, modulusLength: 2_048, publicExponent: Uint8Array.of(1, 0, 1) }
      : algorithm;
  return await webcrypto.subtle.generateKey(wanted, true, ['sign', 'verify']);
}
