import { z } from 'zod';

const MILLION = 1_000_000;
const SAMPLE_PPM_DEFAULT = 100_000;

export const verificationRequest = z
  .discriminatedUnion('policy', [
    z.strictObject({ policy: z.literal('quorum') }),
    z.strictObject({
      policy: z.literal('recheck'),
      samplePpm: z
        .int()
        .min(1)
        .max(MILLION)
        .default(SAMPLE_PPM_DEFAULT)
        .meta({ description: 'Of a million results so many are run again' }),
    }),
  ])
  .meta({
    id: 'VerificationRequest',
    description:
      'By which rules results are believed; a quorum when it is left out. quorum: as many operators as it says are ' +
      'asked at once. recheck: one is asked, and a sample that no node can foresee is run again by others until ' +
      'quorum of them agree; the reservation is the same, and most of it comes back',
  });
