import type { Posting } from './gen/billing.js';

/**
 * What a tenant's money is for: to spend, held for jobs, on its way to the chain, received and not yet spendable; and,
 * below zero, what it took out of the chain beyond what it could spend.
 */
const TENANT_KINDS = ['available', 'reserved', 'withdrawing', 'incoming', 'owed'] as const;
/** What is owed to who did the work: not yet in a batch, in a batch on its way to the chain, claimable there. */
const PAYEE_KINDS = ['earned', 'settling', 'claimable'] as const;
const PLATFORM_KINDS = ['fees', 'burned', 'validators'] as const;

export type TenantAccountKind = (typeof TENANT_KINDS)[number];
export type PayeeAccountKind = (typeof PAYEE_KINDS)[number];

/** An account of the ledger, as its name says. */
export type LedgerAccount =
  | { readonly owner: 'tenant'; readonly id: string; readonly kind: TenantAccountKind }
  | { readonly owner: 'operator' | 'validator'; readonly id: string; readonly kind: PayeeAccountKind }
  | { readonly owner: 'platform'; readonly kind: (typeof PLATFORM_KINDS)[number] }
  | { readonly owner: 'escrow'; readonly kind: 'custody' }
  | { readonly owner: 'rewards' | 'treasury' };

/** The counter-account of all money: minus its balance is what Escrow holds on chain. */
export const escrowCustody = 'escrow:custody';
/** The treasury's share of the fees, until it is settled on chain. */
export const platformFees = 'platform:fees';
export const platformBurned = 'platform:burned';
/** The validators' share of the fees, until the chain has paid it to their rewards. */
export const platformValidators = 'platform:validators';

/** @throws RangeError when the id cannot be part of a name */
export const tenantAccount = (tenantId: string, kind: TenantAccountKind): string =>
  `tenant:${idIn(tenantId)}:${kind}`;

/** @throws RangeError when the id cannot be part of a name */
export const operatorAccount = (operatorId: string, kind: PayeeAccountKind): string =>
  `operator:${idIn(operatorId)}:${kind}`;

/** What every account of the tenant begins with. @throws RangeError when the id cannot be part of a name */
export const tenantPrefix = (tenantId: string): string => `tenant:${idIn(tenantId)}:`;

/** @throws RangeError with the name, when the ledger has no account of this kind */
export function parseLedgerAccount(name: string): LedgerAccount {
  const account = ledgerAccountIn(name);
  if (!account) throw new RangeError(`the ledger has no account ${JSON.stringify(name)}`);
  return account;
}

/** Undefined when the ledger has no account of this kind. */
export function ledgerAccountIn(name: string): LedgerAccount | undefined {
  const parts = name.split(':');
  if (parts.length === 3) return ownedAccount(parts[0]!, parts[1]!, parts[2]!);
  if (parts.length === 2) return sharedAccount(parts[0]!, parts[1]!);
  return name === 'rewards' || name === 'treasury' ? { owner: name } : undefined;
}

function ownedAccount(owner: string, id: string, kindName: string): LedgerAccount | undefined {
  if (id === '') return undefined;
  if (owner === 'tenant') {
    const kind = TENANT_KINDS.find(known => known === kindName);
    return kind && { owner, id, kind };
  }
  if (owner !== 'operator' && owner !== 'validator') return undefined;
  const kind = PAYEE_KINDS.find(known => known === kindName);
  return kind && { owner, id, kind };
}

function sharedAccount(owner: string, kindName: string): LedgerAccount | undefined {
  if (owner === 'escrow' && kindName === 'custody') return { owner, kind: kindName };
  const kind = PLATFORM_KINDS.find(known => known === kindName);
  return owner === 'platform' && kind ? { owner, kind } : undefined;
}

function idIn(id: string): string {
  if (id === '' || id.includes(':')) {
    throw new RangeError(`${JSON.stringify(id)} is no id that the name of a ledger account can hold`);
  }
  return id;
}

/** The postings of an event of the ledger; none of one that moves no money. */
export const postingsIn = ({ data }: { readonly data: unknown }): readonly Posting[] =>
  (data as { readonly postings?: readonly Posting[] }).postings ?? [];

/** What of these postings is the fee of a charge, whoever has it. */
export const feeIn = (postings: readonly Posting[]): bigint =>
  [platformFees, platformBurned, platformValidators].reduce(
    (fee, account) => fee + changeOf(account, postings),
    0n,
  );

/** How much these postings change the balance of one account. */
export function changeOf(account: string, postings: readonly Posting[]): bigint {
  let change = 0n;
  for (const posting of postings) if (posting.account === account) change += posting.amountAtto;
  return change;
}
