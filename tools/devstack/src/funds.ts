import type { Platform } from './platform.js';

/**
 * Money for a tenant, wherever it comes from on this platform: from a deposit on its own chain, or else from an
 * operator's credit. Resolves when it can be spent. Repeated, it gives nothing more.
 */
export async function fund(
  platform: Platform,
  { tenantId, apiKey }: { readonly tenantId: string; readonly apiKey: string },
  amountAtto: bigint,
): Promise<void> {
  if (!platform.settles) {
    const creditId = tenantId.replace('tenant_', 'credit_');
    return platform.administration().credit(tenantId, amountAtto, creditId);
  }
  if (!platform.chain.isOwn) return;
  // Loaded where it is needed, with ethers: a platform without a chain does without.
  const { payIn } = await import('./escrow-deposit.js');
  await payIn(platform, { ownerId: tenantId, apiKey }, amountAtto);
}

/** The operator is paid on the platform's own chain. Where billing settles nothing there is nothing to do. */
export async function payOnChain(
  platform: Platform,
  { operatorId, apiKey }: { readonly operatorId: string; readonly apiKey: string },
): Promise<void> {
  if (!platform.settles || !platform.chain.isOwn) return;
  const { linkWallet } = await import('./escrow-deposit.js');
  await platform.untilProtocolIsThere();
  await linkWallet(platform, { owner: 'operator', ownerId: operatorId, apiKey });
}
