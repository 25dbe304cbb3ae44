import type { RecordResult } from '@astro/messages/verification';
import type { VerificationPolicy } from '../policies/policy.js';
import { quorum as byQuorum } from '../policies/quorum.js';
import { recheck } from '../policies/recheck.js';

/** @returns the policy that the job chose with its figures, or what is wrong with the choice, by field */
export function policyFor({
  verification,
  quorum,
  seed,
}: Pick<RecordResult, 'verification' | 'quorum' | 'seed'>): VerificationPolicy | string {
  switch (verification?.policy) {
    case undefined:
    case 'quorum':
      return byQuorum({ quorum });
    case 'recheck': {
      const { samplePpm } = verification;
      if (samplePpm === undefined) return 'verification.samplePpm: must be given for recheck';
      if (!seed) return 'seed: must be given for recheck';
      // Only those that agree are paid, and money was set aside for so many of them as the quorum says.
      return recheck({ samplePpm, quorum, quorumOfDispute: quorum });
    }
    case 'unspecified':
      return 'verification.policy: must be specified';
  }
}
