import type { X509Certificate } from 'node:crypto';
import { fromBER, Integer, IA5String } from 'asn1js';
import { extensionOf } from '../certificates.js';
import type { Tcb } from '../rules.js';
import { demand } from '../verdict.js';

/** AMD's "VCEK Certificate and KDS Interface Specification": extensions of the certificates of chips. */
const PREFIX = '1.3.6.1.4.1.3704.1';
const oid = {
  productName: `${PREFIX}.2`,
  bootloader: `${PREFIX}.3.1`,
  tee: `${PREFIX}.3.2`,
  snp: `${PREFIX}.3.3`,
  microcode: `${PREFIX}.3.8`,
  fmc: `${PREFIX}.3.9`,
  hardwareId: `${PREFIX}.4`,
} as const;

/** What the certificate of a chip's key says of the chip. */
export type Endorsement = {
  /** `Milan-B0`: product and stepping. */
  readonly productName: string;
  readonly tcb: Tcb;
  /** Absent from a VLEK, which is of a cloud provider and not of one chip. */
  readonly hardwareId?: Uint8Array;
};

/** @throws EvidenceRefused */
export function readEndorsement(certificate: X509Certificate): Endorsement {
  const hardwareId = extensionOf(certificate, oid.hardwareId);
  return {
    productName: textIn(certificate, oid.productName),
    tcb: {
      fmc: extensionOf(certificate, oid.fmc) ? numberIn(certificate, oid.fmc) : 0,
      bootloader: numberIn(certificate, oid.bootloader),
      tee: numberIn(certificate, oid.tee),
      snp: numberIn(certificate, oid.snp),
      microcode: numberIn(certificate, oid.microcode),
    },
    ...(hardwareId && { hardwareId }),
  };
}

/** From Turin on the bytes of a report's TCB have another order. */
export const tcbOf = (product: string, bytes: Uint8Array): Tcb => {
  const at = (index: number) => bytes[index] ?? 0;
  return product === 'Turin'
    ? { fmc: at(0), bootloader: at(1), tee: at(2), snp: at(3), microcode: at(7) }
    : { fmc: 0, bootloader: at(0), tee: at(1), snp: at(6), microcode: at(7) };
};

function valueIn(certificate: X509Certificate, id: string) {
  const value = extensionOf(certificate, id);
  return value && fromBER(value).result;
}

function numberIn(certificate: X509Certificate, id: string): number {
  const value = valueIn(certificate, id);
  demand(value instanceof Integer, 'malformed', `the certificate of the chip has no number ${id}`);
  return value.valueBlock.valueDec;
}

function textIn(certificate: X509Certificate, id: string): string {
  const value = valueIn(certificate, id);
  demand(value instanceof IA5String, 'malformed', `the certificate of the chip has no text ${id}`);
  return value.getValue();
}
