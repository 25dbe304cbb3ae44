import type { RpcPool } from '../rpc/pool.js';

/** EIP-1559: the most that a unit of gas may cost, and the part of it that goes to whoever makes the block. */
export type Fees = { readonly feeWei: bigint; readonly tipWei: bigint };

/** Fees are above what anybody allowed: the action waits, rather than being sent to lie in wait. */
export class FeesTooHigh extends Error {
  override readonly name = 'FeesTooHigh';
  constructor(
    readonly feeWei: bigint,
    readonly maxFeeWei: bigint,
  ) {
    super(`a unit of gas costs ${feeWei} wei, and at most ${maxFeeWei} is allowed`);
  }
}

const historyBlocks = '0x5';
const smallestTipWei = 1_000_000n;

/** Twice the base fee, which rises by an eighth a block at most, and the median tip of the last blocks. */
export async function currentFees(pool: RpcPool, maxFeeWei: bigint): Promise<Fees> {
  const history = (await pool.call('eth_feeHistory', historyBlocks, 'latest', [50])) as {
    readonly baseFeePerGas: readonly string[];
    readonly reward?: readonly (readonly string[])[];
  };
  const baseWei = BigInt(history.baseFeePerGas.at(-1) ?? 0);
  const tips = (history.reward ?? []).map(([tip]) => BigInt(tip ?? 0)).sort((a, b) => (a < b ? -1 : 1));
  const median = tips[tips.length >> 1] ?? 0n;
  const tipWei = median > smallestTipWei ? median : smallestTipWei;
  const feeWei = baseWei * 2n + tipWei;
  if (feeWei > maxFeeWei) throw new FeesTooHigh(feeWei, maxFeeWei);
  return { feeWei, tipWei };
}

/**
 * Of a replacement: nodes want both parts to be a tenth higher than before; an eighth is what they all take.
 * Undefined when that is more than is allowed, and the first has to be waited for.
 */
export function raised(before: Fees, now: Fees, maxFeeWei: bigint): Fees | undefined {
  const most = (a: bigint, b: bigint) => (a > b ? a : b);
  const eighthMore = (wei: bigint) => (wei * 9n) / 8n + 1n;
  const tipWei = most(eighthMore(before.tipWei), now.tipWei);
  const feeWei = most(eighthMore(before.feeWei), now.feeWei);
  return feeWei > maxFeeWei ? undefined : { feeWei, tipWei };
}
