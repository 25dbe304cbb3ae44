import { Escrow__factory } from '../gen/factories/Escrow__factory.js';
import { ProtocolParameters__factory } from '../gen/factories/ProtocolParameters__factory.js';
import type { Deployment } from '../deployment/addresses.js';
import type { Payout } from '../payouts/tree.js';
import { RpcRefused } from '../rpc/failures.js';
import type { RpcPool } from '../rpc/pool.js';
import type { Intent } from '../transactions/journal.js';

const escrow = Escrow__factory.createInterface();
const parameters = ProtocolParameters__factory.createInterface();

/** Places in the enumeration of ProtocolParameters.sol. */
export const feeParameters = { feeBps: 0, burnBps: 1, validatorBps: 16 } as const;

type Contracts = Pick<Deployment, 'contracts'>;

export type SettleCall = {
  /** 32 bytes in hex, as the root. */
  readonly batch: string;
  readonly root: string;
  /** Base units. */
  readonly net: bigint;
  readonly chargedAt: Date;
  readonly debits: readonly { readonly address: string; readonly amountAtto: bigint }[];
};

/** `Escrow.settle`: only the settler may. */
export function settleCall(
  { contracts }: Contracts,
  { batch, root, net, chargedAt, debits }: SettleCall,
): Intent {
  const owed = debits.map(({ address: tenant, amountAtto: amount }) => ({ tenant, amount }));
  const data = escrow.encodeFunctionData('settle', [batch, root, net, secondsOf(chargedAt), owed]);
  return { to: contracts.escrow, data, valueWei: 0n };
}

/** `Escrow.claim`: anybody may, and the payout's account is paid. */
export function claimCall({ contracts }: Contracts, payout: Payout, proof: readonly string[]): Intent {
  const data = escrow.encodeFunctionData('claim', [payout, [...proof]]);
  return { to: contracts.escrow, data, valueWei: 0n };
}

/** `Escrow.refund`: only the settler may. @param reason 32 bytes in hex */
export function refundCall(
  { contracts }: Contracts,
  refund: { readonly address: string; readonly amountAtto: bigint; readonly reason: string },
): Intent {
  const data = escrow.encodeFunctionData('refund', [refund.address, refund.amountAtto, refund.reason]);
  return { to: contracts.escrow, data, valueWei: 0n };
}

/** What a tenant has in Escrow at the last block, in base units, and what it can take out by itself from when on. */
export async function fundsOf(pool: RpcPool, { contracts }: Contracts, address: string) {
  const ask = async (method: 'balanceOf' | 'withdrawalOf') => {
    const data = escrow.encodeFunctionData(method as 'balanceOf', [address]);
    return (await pool.call('eth_call', { to: contracts.escrow, data }, 'latest')) as string;
  };
  const [balance] = escrow.decodeFunctionResult('balanceOf', await ask('balanceOf'));
  const [announced] = escrow.decodeFunctionResult(
    'withdrawalOf',
    await ask('withdrawalOf'),
  ) as unknown as readonly [{ readonly amount: bigint; readonly availableAt: bigint }];
  return {
    balanceAtto: balance as bigint,
    announcedAtto: announced.amount,
    availableAt: new Date(Number(announced.availableAt) * 1_000),
  };
}

/** The fee in force at a second that is over, in hundredths of a percent. @throws RpcRefused before there was one */
export async function feeAt(pool: RpcPool, { contracts }: Contracts, time: Date) {
  const at = async (parameter: number): Promise<number> => {
    const data = parameters.encodeFunctionData('getAt', [parameter, secondsOf(time)]);
    return Number(await pool.call('eth_call', { to: contracts.parameters, data }, 'latest'));
  };
  return {
    feeBps: await at(feeParameters.feeBps),
    burnBps: await at(feeParameters.burnBps),
    validatorBps: await at(feeParameters.validatorBps).catch(nothingBefore),
  };
}

/** Contracts from before validators had a share know no such parameter. */
function nothingBefore(error: unknown): number {
  if (error instanceof RpcRefused) return 0;
  throw error;
}

/** What Escrow owes at a block, in base units. */
export async function liabilitiesAt(pool: RpcPool, { contracts }: Contracts, block: number) {
  const data = escrow.encodeFunctionData('liabilities');
  const answer = await pool.call('eth_call', { to: contracts.escrow, data }, `0x${block.toString(16)}`);
  const [deposits, unclaimed] = escrow.decodeFunctionResult('liabilities', answer as string) as unknown as [
    bigint,
    bigint,
  ];
  return { depositsAtto: deposits, unclaimedAtto: unclaimed };
}

/** Number and time of a block that the chain will keep: what its nodes call final, or what is so deep. */
export async function finalBlock(pool: RpcPool, depth: number | undefined) {
  return pool.withEndpoint(async endpoint => {
    const head = Number(await endpoint.call('eth_blockNumber'));
    const wanted = depth === undefined ? 'finalized' : `0x${Math.max(0, head - depth).toString(16)}`;
    const block = (await endpoint.call('eth_getBlockByNumber', wanted, false)) as {
      readonly number: string;
      readonly timestamp: string;
    };
    return { number: Number(block.number), time: new Date(Number(block.timestamp) * 1_000) };
  });
}

const secondsOf = (time: Date): number => Math.floor(time.getTime() / 1_000);
