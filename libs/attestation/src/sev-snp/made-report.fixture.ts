import { IA5String, Integer } from 'asn1js';
import type { Extension } from '@peculiar/x509';
import { X509Certificate } from 'node:crypto';
import type { EvidenceDocument } from '../evidence.js';
import {
  derOf,
  makeHolder,
  makeList,
  P384,
  RSA,
  sign,
  type Holder,
  type Wish,
} from '../made-certificates.fixture.js';
import { x509 } from '../x509.js';
import type { AmdRoot } from '../roots.js';

export type ReportWish = {
  readonly reportData: Uint8Array;
  readonly measurement?: Uint8Array;
  readonly version?: number;
  readonly policy?: bigint;
  readonly vmpl?: number;
  readonly tcb?: readonly number[];
  readonly chipId?: Uint8Array;
  readonly flags?: number;
  readonly signer?: Holder;
};

const SMT = 1n << 16n;
const RESERVED_ONE = 1n << 17n;
export const sealedPolicy = SMT | RESERVED_ONE;
export const debugPolicy = sealedPolicy | (1n << 19n);
export const migrationPolicy = sealedPolicy | (1n << 18n);
export const madeMeasurement = new Uint8Array(48).fill(0xa5);
const chip = new Uint8Array(64).map((_, index) => index + 1);
/** Bootloader 3, TEE 0, SNP 8, microcode 115. */
const tcbBytes = [3, 0, 0, 0, 0, 0, 8, 115];

/** AMD, with a root of its own and one chip. */
export class MadeAmd {
  private constructor(
    private readonly now: Date,
    readonly ark: Holder,
    readonly ask: Holder,
    readonly vcek: Holder,
    readonly crl: Uint8Array,
  ) {}

  static async create(now: Date): Promise<MadeAmd> {
    const ark = await makeHolder({ name: 'ARK-Milan', algorithm: RSA, now, isAuthority: true });
    const ask = await makeHolder({ name: 'SEV-Milan', algorithm: RSA, now, isAuthority: true, issuer: ark });
    const vcek = await makeHolder({ ...chipKey(now), issuer: ask });
    return new MadeAmd(now, ark, ask, vcek, await makeList(ark, now));
  }

  get root(): AmdRoot {
    return { product: 'Milan', ark: new X509Certificate(derOf(this.ark)), crl: this.crl };
  }

  /** Of the same chip, otherwise than it should be. */
  endorse(changes: Partial<Wish>): Promise<Holder> {
    return makeHolder({ ...chipKey(this.now), issuer: this.ask, keys: this.vcek.keys, ...changes });
  }

  async report(wish: ReportWish): Promise<Buffer> {
    const report = Buffer.alloc(1_184);
    report.writeUInt32LE(wish.version ?? 2, 0x00);
    report.writeBigUInt64LE(wish.policy ?? sealedPolicy, 0x08);
    report.writeUInt32LE(wish.vmpl ?? 0, 0x30);
    report.writeUInt32LE(1, 0x34);
    report.writeUInt32LE(wish.flags ?? 0, 0x48);
    report.set(wish.reportData, 0x50);
    report.set(wish.measurement ?? madeMeasurement, 0x90);
    report.set(wish.tcb ?? tcbBytes, 0x180);
    report.set(wish.chipId ?? chip, 0x1a0);
    const signature = await sign(wish.signer ?? this.vcek, report.subarray(0, 0x2a0));
    report.set(signature.subarray(0, 48).reverse(), 0x2a0);
    report.set(signature.subarray(48, 96).reverse(), 0x2a0 + 72);
    return report;
  }

  async evidence(
    wish: ReportWish,
    certificates: readonly Holder[] = [this.vcek, this.ask],
  ): Promise<EvidenceDocument & { readonly kind: 'sev_snp' }> {
    return {
      kind: 'sev_snp',
      report: (await this.report(wish)).toString('base64'),
      certificates: certificates.map(holder => Buffer.from(derOf(holder)).toString('base64')),
    };
  }
}

const chipKey = (now: Date): Wish => ({
  name: 'SEV-VCEK',
  algorithm: P384,
  now,
  extensions: chipExtensions(),
});

export const chipExtensions = ({ productName = 'Milan-B0', snp = 8, id = chip } = {}): Extension[] => [
  extension('2', new IA5String({ value: productName }).toBER()),
  ...Object.entries({ 1: 3, 2: 0, 3: snp, 8: 115 }).map(([part, value]) =>
    extension(`3.${part}`, new Integer({ value }).toBER()),
  ),
  extension('4', Buffer.from(id)),
];

const extension = (id: string, value: ArrayBuffer | Buffer) =>
  new x509.Extension(`1.3.6.1.4.1.3704.1.${id}`, false, value);
