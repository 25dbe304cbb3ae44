import { isId } from '@astro/event-sourcing/ids';
import { attestationKinds } from '@astro/messages/attestation-kinds';
import type { AttestationKind } from '@astro/messages/registry';
import { attoFromAstro } from './amount.js';

export const usage = `Usage:
  npm run admin -- tenant NAME                     registers a tenant, prints its id and API key
  npm run admin -- operator NAME                   registers an operator, prints its id and API key
  npm run admin -- credit TENANT_ID AMOUNT_ASTRO   credits a tenant's account, where money lies on no chain
  npm run admin -- attest NODE_ID KIND DIGEST HOURS
      records that the evidence with this SHA-256 was verified, and for how long it counts; KIND is
      tpm, tdx, sev_snp or nvidia_cc, as the node claims it
  npm run admin -- revoke-attestation NODE_ID REASON
  npm run admin -- revoke-node NODE_ID REASON      cuts a node off; its leases end as lost
  npm run admin -- reinstate-node NODE_ID          lets a node that was revoked come back
  npm run admin -- resume-settlement CHAIN_ID REASON
      lets settlement go on after the ledger and Escrow differed, and records why they do
  npm run admin -- decide-case FAULT_ID right|wrong REASON
      judges an accusation that the accused has answered: upheld after its window, or dismissed`;

export type Request =
  | { readonly kind: 'tenant' | 'operator'; readonly name: string }
  | {
      readonly kind: 'attest';
      readonly nodeId: string;
      readonly attestation: AttestationKind;
      readonly evidenceDigest: string;
      readonly hours: number;
    }
  | {
      readonly kind: 'revoke-attestation' | 'revoke-node';
      readonly nodeId: string;
      readonly reason: string;
    }
  | { readonly kind: 'reinstate-node'; readonly nodeId: string }
  | { readonly kind: 'resume-settlement'; readonly chainId: string; readonly reason: string }
  | {
      readonly kind: 'decide-case';
      readonly faultId: string;
      readonly isRight: boolean;
      readonly reason: string;
    }
  | { readonly kind: 'credit'; readonly tenantId: string; readonly amountAtto: bigint };

/** The command line was not understood: what was wrong, and what would be right. */
export class UsageError extends Error {
  constructor(problem: string) {
    super(`${problem}\n\n${usage}`);
  }
}

/** @throws UsageError */
export function readRequest(args: readonly string[]): Request {
  const [kind, ...rest] = args;
  switch (kind) {
    case 'tenant':
    case 'operator':
      return { kind, name: nameIn(kind, rest) };
    case 'credit':
      return creditIn(rest);
    case 'attest':
      return attestIn(rest);
    case 'revoke-attestation':
    case 'revoke-node':
      return revokeIn(kind, rest);
    case 'reinstate-node':
      return reinstateIn(rest);
    case 'resume-settlement':
      return resumeIn(rest);
    case 'decide-case':
      return decideIn(rest);
    default:
      throw new UsageError(kind === undefined ? 'A command is missing.' : `There is no command ${kind}.`);
  }
}

function nameIn(kind: string, args: readonly string[]): string {
  const [name, ...more] = args;
  if (!name?.trim()) throw new UsageError(`The name of the ${kind} is missing.`);
  if (more.length > 0) throw new UsageError(`A name of several words must be quoted: "${args.join(' ')}".`);
  return name;
}

function creditIn(args: readonly string[]): Request {
  const [tenantId = '', amount = '', ...more] = args;
  if (!isId('tenant', tenantId)) throw new UsageError(`"${tenantId}" is not the id of a tenant (tenant_…).`);
  const amountAtto = attoFromAstro(amount);
  if (amountAtto === undefined) {
    throw new UsageError(
      `"${amount}" is not an amount of ASTRO: a positive number with at most 18 decimals.`,
    );
  }
  if (more.length > 0) throw new UsageError(`What does ${more.join(' ')} mean?`);
  return { kind: 'credit', tenantId, amountAtto };
}

function attestIn(args: readonly string[]): Request {
  const [nodeId = '', kind = '', evidenceDigest = '', hoursText = '', ...more] = args;
  assertNodeId(nodeId);
  const attestation = attestationKinds.find(known => known === kind);
  if (!attestation) throw new UsageError(`"${kind}" is not one of ${attestationKinds.join(', ')}.`);
  if (!/^[0-9a-f]{64}$/.test(evidenceDigest))
    throw new UsageError(`"${evidenceDigest}" is not a SHA-256 of 64 hexadecimal digits.`);
  const hours = Number(hoursText);
  if (!/^\d{1,3}$/.test(hoursText) || hours < 1)
    throw new UsageError(`"${hoursText}" is not a whole number of hours, of at least 1.`);
  if (more.length > 0) throw new UsageError(`What does ${more.join(' ')} mean?`);
  return { kind: 'attest', nodeId, attestation, evidenceDigest, hours };
}

function revokeIn(kind: 'revoke-attestation' | 'revoke-node', args: readonly string[]): Request {
  const [nodeId = '', ...rest] = args;
  assertNodeId(nodeId);
  return { kind, nodeId, reason: reasonIn(rest) };
}

function reinstateIn(args: readonly string[]): Request {
  const [nodeId = '', ...more] = args;
  assertNodeId(nodeId);
  if (more.length > 0) throw new UsageError(`What does ${more.join(' ')} mean?`);
  return { kind: 'reinstate-node', nodeId };
}

function decideIn(args: readonly string[]): Request {
  const [faultId = '', verdict = '', ...rest] = args;
  if (!isId('fault', faultId)) throw new UsageError(`"${faultId}" is not the id of a fault (fault_…).`);
  if (verdict !== 'right' && verdict !== 'wrong')
    throw new UsageError(`"${verdict}" does not say whether the accusation is right or wrong.`);
  return { kind: 'decide-case', faultId, isRight: verdict === 'right', reason: reasonIn(rest) };
}

function resumeIn(args: readonly string[]): Request {
  const [chainId = '', ...rest] = args;
  if (!/^[1-9]\d{0,15}$/.test(chainId))
    throw new UsageError(`"${chainId}" is not the id of a chain (a number).`);
  return { kind: 'resume-settlement', chainId, reason: reasonIn(rest) };
}

function reasonIn(args: readonly string[]): string {
  const [reason = '', ...more] = args;
  if (reason.trim() === '') throw new UsageError('The reason is missing.');
  if (more.length > 0) throw new UsageError(`A reason of several words must be quoted: "${args.join(' ')}".`);
  return reason;
}

function assertNodeId(nodeId: string): void {
  if (!isId('node', nodeId)) throw new UsageError(`"${nodeId}" is not the id of a node (node_…).`);
}
