import type { AttestationKind } from '@astro/messages/registry';

/** Whether what was accepted of a node is what is asked for; most ask for nothing. */
export const suffices = (asked: readonly AttestationKind[], accepted: AttestationKind | undefined): boolean =>
  asked.length === 0 || (accepted !== undefined && asked.includes(accepted));
