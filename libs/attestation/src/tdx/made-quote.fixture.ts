import { createHash, webcrypto, X509Certificate } from 'node:crypto';
import { Enumerated, Integer, ObjectIdentifier, OctetString, Sequence, type BaseBlock } from 'asn1js';
import type { EvidenceDocument } from '../evidence.js';
import {
  derOf,
  makeHolder,
  makeKeys,
  makeList,
  P256,
  pemOf,
  sign,
  type Holder,
  type Wish,
} from '../made-certificates.fixture.js';
import { x509 } from '../x509.js';
import type { TdxCollateral } from './collateral.js';

export type QuoteWish = {
  readonly reportData: Uint8Array;
  readonly mrTd?: Uint8Array;
  readonly rtMr3?: Uint8Array;
  readonly attributes?: readonly number[];
  readonly mrSignerSeam?: Uint8Array;
  readonly teeTcbSvn?: readonly number[];
  readonly version?: 4 | 5;
  readonly pck?: Holder;
  /** Signs instead of the attestation key that the quoting enclave answers for. */
  readonly attestationKey?: webcrypto.CryptoKeyPair;
  /** The quoting enclave's own report. */
  readonly enclaveSigner?: Uint8Array;
};

const TEE_TDX = 0x81;
const QE_VENDOR = Buffer.from('939a7233f79c4ca9940a0db3957f0607', 'hex');
const SEPT_VE_DISABLE = [0, 0, 0, 0x10, 0, 0, 0, 0];
export const debugAttributes = [1, 0, 0, 0x10, 0, 0, 0, 0];
const qeSigner = new Uint8Array(32).fill(0xdc);
const qeAuthData = Buffer.alloc(32, 7);
const family = Buffer.from('b0c06f000000', 'hex');
export const madeMrTd = new Uint8Array(48).fill(0x7d);
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Intel, with a root of its own and one platform. */
export class MadeIntel {
  private constructor(
    private readonly now: Date,
    readonly root: Holder,
    readonly authority: Holder,
    readonly pck: Holder,
    readonly signer: Holder,
    private readonly attestationKey: webcrypto.CryptoKeyPair,
  ) {}

  static async create(now: Date): Promise<MadeIntel> {
    const made = { algorithm: P256, now };
    const root = await makeHolder({ ...made, name: 'Intel SGX Root CA', isAuthority: true });
    const authority = await makeHolder({
      ...made,
      name: 'Intel SGX PCK Platform CA',
      isAuthority: true,
      issuer: root,
    });
    const pck = await makeHolder({ ...platformKey(now), issuer: authority });
    const signer = await makeHolder({ ...made, name: 'Intel SGX TCB Signing', issuer: root });
    return new MadeIntel(now, root, authority, pck, signer, await makeKeys(P256));
  }

  get trusted(): X509Certificate {
    return new X509Certificate(derOf(this.root));
  }

  /** Of the same platform, otherwise than it should be. */
  endorse(changes: Partial<Wish>): Promise<Holder> {
    return makeHolder({ ...platformKey(this.now), issuer: this.authority, keys: this.pck.keys, ...changes });
  }

  async collateral({
    revoked = [],
    status = 'UpToDate',
    issuedAt = new Date(this.now.getTime() - 3_600_000),
    signer = this.signer,
    listSigner = this.authority,
  }: {
    readonly revoked?: readonly Holder[];
    readonly status?: string;
    readonly issuedAt?: Date;
    readonly signer?: Holder;
    readonly listSigner?: Holder;
  } = {}): Promise<TdxCollateral> {
    const dates = {
      issueDate: issuedAt.toISOString(),
      nextUpdate: new Date(issuedAt.getTime() + 30 * 86_400_000).toISOString(),
      tcbEvaluationDataNumber: 17,
    };
    const tcbInfo = JSON.stringify({ id: 'TDX', version: 3, ...dates, ...tcbLevels(status) });
    const identity = JSON.stringify({ id: 'TD_QE', version: 2, ...dates, ...enclaveIdentity });
    const signed = async (text: string) => hexOf(await sign(signer, Buffer.from(text)));
    return {
      root_ca_crl: hexOf(await makeList(this.root, this.now, { revoked })),
      pck_crl: hexOf(await makeList(listSigner, this.now, { revoked })),
      pck_crl_issuer_chain: pemOf(this.authority, this.root),
      tcb_info: tcbInfo,
      tcb_info_issuer_chain: pemOf(signer, this.root),
      tcb_info_signature: await signed(tcbInfo),
      qe_identity: identity,
      qe_identity_issuer_chain: pemOf(signer, this.root),
      qe_identity_signature: await signed(identity),
    };
  }

  async quote(wish: QuoteWish): Promise<Buffer> {
    const { pck = this.pck, version = 4 } = wish;
    const header = Buffer.alloc(48);
    header.writeUInt16LE(version, 0);
    header.writeUInt16LE(2, 2);
    header.writeUInt32LE(TEE_TDX, 4);
    header.set(QE_VENDOR, 12);
    const body = Buffer.from([2, 0, 0x48, 0x02, 0, 0]); // a report of TDX 1.0, 584 bytes
    const signed = Buffer.concat([header, ...(version === 5 ? [body] : []), trustDomain(wish)]);
    const keys = wish.attestationKey ?? this.attestationKey;
    const signature = await sign({ algorithm: P256, keys }, signed);

    const { publicKey } = this.attestationKey;
    const point = Buffer.from(await webcrypto.subtle.exportKey('raw', publicKey)).subarray(1);
    const enclave = enclaveReport(point, wish.enclaveSigner ?? qeSigner);
    const chain = Buffer.from(pemOf(pck, this.authority, this.root));
    const certified = Buffer.concat([
      enclave,
      await sign({ algorithm: P256, keys: pck.keys }, enclave),
      sized(2, qeAuthData),
      Buffer.from([5, 0]),
      sized(4, chain),
    ]);
    const authData = Buffer.concat([signature, point, Buffer.from([6, 0]), sized(4, certified)]);
    return Buffer.concat([signed, sized(4, authData)]);
  }

  async evidence(wish: QuoteWish): Promise<EvidenceDocument & { readonly kind: 'tdx' }> {
    return { kind: 'tdx', quote: (await this.quote(wish)).toString('base64') };
  }
}

function trustDomain(wish: QuoteWish): Buffer {
  const report = Buffer.alloc(584);
  report.set(wish.teeTcbSvn ?? [5, 1, 2], 0);
  report.set(wish.mrSignerSeam ?? new Uint8Array(48), 64);
  report.set(wish.attributes ?? SEPT_VE_DISABLE, 120);
  report.set(wish.mrTd ?? madeMrTd, 136);
  report.set(wish.rtMr3 ?? new Uint8Array(48), 472);
  report.set(wish.reportData, 520);
  return report;
}

function enclaveReport(attestationKey: Buffer, signer: Uint8Array): Buffer {
  const report = Buffer.alloc(384);
  report.set(signer, 128);
  report.writeUInt16LE(2, 256);
  report.writeUInt16LE(6, 258);
  report.set(createHash('sha256').update(attestationKey).update(qeAuthData).digest(), 320);
  return report;
}

function sized(bytes: 2 | 4, content: Buffer): Buffer {
  const size = Buffer.alloc(bytes);
  size.writeUIntLE(content.length, 0, bytes);
  return Buffer.concat([size, content]);
}

const svns = (values: readonly number[]) =>
  Array.from({ length: 16 }, (_, index) => ({ svn: values[index] ?? 0 }));

const tcbLevels = (tcbStatus: string) => ({
  fmspc: hexOf(family).toUpperCase(),
  pceId: '0000',
  tcbType: 0,
  tdxModule: { mrsigner: '0'.repeat(96), attributes: '0'.repeat(16), attributesMask: 'F'.repeat(16) },
  tcbLevels: [
    {
      tcb: { sgxtcbcomponents: svns([2, 2]), pcesvn: 11, tdxtcbcomponents: svns([5, 0, 2]) },
      tcbDate: '2025-01-01T00:00:00Z',
      tcbStatus,
    },
  ],
});

const enclaveIdentity = {
  miscselect: '00000000',
  miscselectMask: 'FFFFFFFF',
  attributes: '0'.repeat(32),
  attributesMask: 'F'.repeat(32),
  mrsigner: hexOf(qeSigner),
  isvprodid: 2,
  tcbLevels: [{ tcb: { isvsvn: 6 }, tcbDate: '2025-01-01T00:00:00Z', tcbStatus: 'UpToDate' }],
};

const platformKey = (now: Date): Wish => ({
  name: 'Intel SGX PCK Certificate',
  algorithm: P256,
  now,
  extensions: [new x509.Extension('1.2.840.113741.1.13.1', false, platformExtension())],
});

/** Intel's "SGX PCK Certificate and Certificate Revocation List Profile Specification", SGX Extensions. */
function platformExtension(): ArrayBuffer {
  const entry = (id: string, value: BaseBlock) =>
    new Sequence({ value: [new ObjectIdentifier({ value: `1.2.840.113741.1.13.1.${id}` }), value] });
  const bytes = (valueHex: Buffer) => new OctetString({ valueHex: Uint8Array.from(valueHex).buffer });
  const cpuSvn = Buffer.from([3, 3, ...new Array<number>(14).fill(0)]);
  const components = [...cpuSvn].map((value, index) => entry(`2.${index + 1}`, new Integer({ value })));
  const tcb = [...components, entry('2.17', new Integer({ value: 11 })), entry('2.18', bytes(cpuSvn))];
  return new Sequence({
    value: [
      entry('1', bytes(Buffer.alloc(16, 9))),
      entry('2', new Sequence({ value: tcb })),
      entry('3', bytes(Buffer.alloc(2))),
      entry('4', bytes(family)),
      entry('5', new Enumerated({ value: 0 })),
    ],
  }).toBER();
}
