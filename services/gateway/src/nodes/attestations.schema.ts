import { evidenceDocument } from '@astro/attestation/evidence';
import { z } from 'zod';

const nonce = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be 32 bytes in hexadecimal digits')
  .meta({ description: '32 bytes in hexadecimal digits' });

export const challenge = z
  .object({ nonce, expiresAt: z.iso.datetime() })
  .meta({ id: 'AttestationChallenge', description: 'Good for one attestation' });

export const presented = z.strictObject({ nonce, evidence: evidenceDocument }).meta({
  id: 'PresentedEvidence',
  description:
    'The machine signs the nonce and the SHA-256 of the public key as text; devices the SHA-256 of both',
});
export type Presented = z.output<typeof presented>;
