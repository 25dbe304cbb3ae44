import type { JobSpec } from '@astro/messages/scheduling';

const MILLION = 1_000_000;

/** The first thing that is wrong with how a job is verified, by field; nothing when it is sound or says nothing. */
export function flawOfVerification({ verification, quorum }: JobSpec): string | undefined {
  if (!verification) return undefined;
  const { policy, samplePpm } = verification;
  if (policy === 'unspecified') return 'spec.verification.policy: must be specified';
  if (policy === 'quorum')
    return samplePpm === undefined ? undefined : 'spec.verification.samplePpm: must be absent for quorum';
  if (samplePpm === undefined || samplePpm < 1 || samplePpm > MILLION)
    return `spec.verification.samplePpm: 1 to ${MILLION} for recheck`;
  // A result that is run again needs somebody to agree with it, and money for both.
  return quorum < 2 ? 'spec.quorum: at least 2 for recheck' : undefined;
}

/** Replicas that are asked for before the first result is in; verification asks for more where it draws them. */
export const replicasAtFirst = ({ service, verification, quorum }: JobSpec): number =>
  service?.replicasMin ?? (verification?.policy === 'recheck' ? 1 : quorum);
