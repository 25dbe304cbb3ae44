import { attestationKinds } from '@astro/messages/attestation-kinds';
import { z } from 'zod';

export const printable = z.string().regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u, 'must have printable characters only');

/** Of digits only: what else is wrong with a text is another rule's to tell. */
function isBelow2To256(text: string): boolean {
  return !/^\d{1,78}$/.test(text) || BigInt(text) < 2n ** 256n;
}

/** Base units, 10^-18 ASTRO, as a decimal string: JSON numbers cannot hold them. */
export const atto = z
  .string()
  .regex(/^(0|[1-9]\d{0,77})$/, 'must be a whole number of base units, as a string')
  .refine(isBelow2To256, 'must be below 2^256');
export const positiveAtto = z
  .string()
  .regex(/^[1-9]\d{0,29}$/, 'must be a whole number of base units from 1 to below 10^30, as a string')
  .meta({ example: '1000000000000000' });

/** As `atto`, of what may be taken away as well. */
export const signedAtto = z
  .string()
  .regex(/^(0|-?[1-9]\d{0,77})$/, 'must be a whole number of base units, as a string');
export const positiveUint256Atto = z
  .string()
  .regex(/^[1-9]\d{0,77}$/, 'must be a whole number of base units, at least 1, as a string')
  .refine(isBelow2To256, 'must be below 2^256')
  .meta({ example: '1000000000000000000' });

/** A name that clients give to what is theirs. */
export const plainName = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, `.`, `_` or `-`');

export const deviceKind = z.enum(['cpu', 'gpu', 'npu', 'fpga']);
export const affiliationKind = z.enum(['network', 'funding', 'collusion']);
export const attestationKind = z.enum(attestationKinds);
export const region = z
  .string()
  .max(40)
  .regex(/^[a-z]{2}(-[a-z0-9]+){1,3}$/, 'must be a country and a place in lower case, for example de-fra')
  .meta({ example: 'de-fra' });
export const country = z
  .string()
  .regex(/^[a-z]{2}$/, 'must be two letters in lower case, for example de')
  .meta({ example: 'de' });

export function isWithoutRepeats(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}
