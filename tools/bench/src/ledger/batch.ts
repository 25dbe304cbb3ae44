import type { FeeTerms } from '@astro/billing/account/fee';
import { batchIdOf, claimsOf, contentOf, treeOf } from '@astro/billing/settlement/batch';
import { isProven } from '@astro/chain/payouts/tree';
import { walletFrom } from '@astro/chain/wallet';
import { anvilMnemonic, localChainId } from '@astro/devstack/anvil/server';
import type { Share } from '@astro/messages/billing';
import type { Progress } from '../benchmark.js';
import { rounded } from '../measure.js';

export const largest = 10_000;
const terms: FeeTerms = { feeBps: 250, burnBps: 2_000 };
const tenantId = 'tenant_1';
/** Who pays for every batch, an account of the local chain. */
export const tenant = walletFrom(anvilMnemonic, 2).address.toLowerCase();
const netAtto = 975n * 10n ** 18n;

/** How long the largest batch takes: built, every payout proven, and every proof checked. */
export function batch10kSeconds(progress: Progress): number {
  const startedMs = performance.now();
  const { tree, claims } = batchOf(1, largest);
  const proofs = claims.map(({ index }) => tree.proofOf(index));
  const refused = claims.filter((claim, index) => !isProven(tree.root, claim, proofs[index]!));
  const seconds = (performance.now() - startedMs) / 1_000;
  if (refused.length > 0) throw new Error(`${refused.length} payouts are not proven`);
  progress(`${largest} payouts in ${seconds.toFixed(2)} s`);
  return rounded(seconds, 2);
}

/** One tenant's work by as many operators as there are payouts. */
export function batchOf(number: number, payouts: number) {
  const shares: Share[] = Array.from({ length: payouts }, (_, index) => ({
    ...{ tenantId, operatorId: `operator_${index}`, netAtto, feeAtto: netAtto / 39n, ...terms },
    burnedAtto: netAtto / 39n / 5n,
  }));
  const address = (index: number) => `0x${(0x10000 + index).toString(16).padStart(40, '0')}`;
  const operators = shares.map(({ operatorId }, index) => [operatorId, address(index)] as const);
  const batchId = batchIdOf(localChainId, number);
  const content = contentOf(shares, terms, new Map([[tenantId, tenant], ...operators]));
  const claims = claimsOf(batchId, content.payouts);
  return { batchId, content, claims, tree: treeOf(batchId, content.payouts) };
}
