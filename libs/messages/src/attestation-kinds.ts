import type { AttestationKind } from './gen/registry.js';

/** The kinds of evidence that nodes can claim and jobs can ask for. */
export const attestationKinds = ['tpm', 'tdx', 'sev_snp', 'nvidia_cc'] as const satisfies readonly Exclude<
  AttestationKind,
  'unspecified'
>[];
