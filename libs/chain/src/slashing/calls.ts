import { zeroPadValue, toBeHex } from 'ethers';
import type { Deployment } from '../deployment/addresses.js';
import { interfaces } from '../logs/fact.js';
import type { RpcPool } from '../rpc/pool.js';
import type { Intent } from '../transactions/journal.js';

const { slashing, staking, token, parameters } = interfaces;

/** Places in the enumeration of ProtocolParameters.sol. */
const places = { accusationBond: 9, maxSlashBps: 10 } as const;
/** In the order of the contract's enumeration. */
const roles = ['operator', 'validator'] as const;
export type Role = (typeof roles)[number];
const statuses = [
  ...([
    'unspecified',
    'open',
    'upheld',
    'appealed',
    'slashed',
    'dismissed',
    'overturned',
    'expired',
  ] as const),
];
export type Status = (typeof statuses)[number];

type Contracts = Pick<Deployment, 'contracts'>;
const slashingIntent = ({ contracts }: Contracts, name: string, values: readonly unknown[]): Intent => ({
  to: contracts.slashing,
  data: slashing.encodeFunctionData(name, [...values]),
  valueWei: 0n,
});

export type AccuseCall = {
  readonly role: Role;
  readonly address: string;
  readonly fractionBps: number;
  /** 32 bytes in hex. */
  readonly evidence: string;
};

/** `Slashing.accuse`: anybody may who lets the contract take the bond. */
export const accuseCall = (at: Contracts, { role, address, fractionBps, evidence }: AccuseCall): Intent =>
  slashingIntent(at, 'accuse', [roles.indexOf(role), address, fractionBps, evidence]);

/** What ends the state that a case is in: `uphold` and `dismiss` are verification's alone. */
export const caseCall = (at: Contracts, name: 'uphold' | 'dismiss' | 'execute', caseId: string): Intent =>
  slashingIntent(at, name, [BigInt(caseId)]);

/** Lets the contract that hears accusations take so much of the sender's tokens. */
export const bondCall = ({ contracts }: Contracts, amountAtto: bigint): Intent => ({
  to: contracts.token,
  data: token.encodeFunctionData('approve', [contracts.slashing, amountAtto]),
  valueWei: 0n,
});

/** The number of the case that a transaction opened; undefined when it opened none. */
export async function caseOpenedIn(
  pool: RpcPool,
  at: Contracts,
  hash: string,
): Promise<OpenedCase | undefined> {
  const receipt = (await pool.call('eth_getTransactionReceipt', hash)) as {
    readonly logs: readonly { readonly address: string; readonly topics: string[]; readonly data: string }[];
  } | null;
  for (const { address, topics, data } of receipt?.logs ?? []) {
    if (address.toLowerCase() !== at.contracts.slashing.toLowerCase()) continue;
    const log = slashing.parseLog({ topics, data });
    if (log?.name !== 'Accused') continue;
    const { id, disputeEndsAt } = log.args as unknown as { id: bigint; disputeEndsAt: bigint };
    return { caseId: id.toString(), disputeEndsAt: timeOf(disputeEndsAt) };
  }
  return undefined;
}
export type OpenedCase = { readonly caseId: string; readonly disputeEndsAt: Date };

/** How a case stands in a block, and when that state ends. */
export async function caseAt(pool: RpcPool, at: Contracts, caseId: string, block: number) {
  const [found] = (await ask(pool, at, 'slashing', 'caseOf', [BigInt(caseId)], hexOf(block))) as unknown as [
    { readonly status: bigint; readonly deadline: bigint },
  ];
  return { status: statuses[Number(found.status)]!, endsAt: timeOf(found.deadline) };
}

/** What was taken of the accused when the case was closed; nothing before. */
export async function slashedFor(pool: RpcPool, at: Contracts, caseId: string, from: number, to: number) {
  const [log] = await logsOf(pool, at, 'Closed', caseId, from, to);
  if (!log) return 0n;
  return (slashing.parseLog(log)!.args as unknown as { slashed: bigint }).slashed;
}

/** Whether the accused has answered by a block. */
export const isAnswered = async (pool: RpcPool, at: Contracts, caseId: string, from: number, to: number) =>
  (await logsOf(pool, at, 'Answered', caseId, from, to)).length > 0;

async function logsOf(
  pool: RpcPool,
  { contracts }: Contracts,
  name: 'Answered' | 'Closed',
  caseId: string,
  from: number,
  to: number,
) {
  const topics = [slashing.getEvent(name)!.topicHash, zeroPadValue(toBeHex(BigInt(caseId)), 32)];
  const filter = { address: contracts.slashing, topics, fromBlock: hexOf(from), toBlock: hexOf(to) };
  return (await pool.call('eth_getLogs', filter)) as { readonly topics: string[]; readonly data: string }[];
}

/** What can be taken of an account now, and whether one more case may be opened against it. */
export async function stakeOf(pool: RpcPool, at: Contracts, role: Role, address: string) {
  const of = [roles.indexOf(role), address];
  const [slashableAtto] = (await ask(pool, at, 'staking', 'slashableStake', of)) as unknown as [bigint];
  const [provider] = (await ask(pool, at, 'staking', 'providerOf', of)) as unknown as [{ openCases: bigint }];
  const [most] = (await ask(pool, at, 'staking', 'MAX_OPEN_CASES', [])) as unknown as [bigint];
  return { slashableAtto, hasRoom: provider.openCases < most };
}

/** What an accusation needs by the parameters in force, and what the accuser lets the contract take. */
export async function accusationTerms(pool: RpcPool, at: Contracts, accuser: string) {
  const parameter = async (place: number) =>
    ((await ask(pool, at, 'parameters', 'get', [place])) as unknown as [bigint])[0];
  const between = [accuser, at.contracts.slashing];
  const [allowedAtto] = (await ask(pool, at, 'token', 'allowance', between)) as unknown as [bigint];
  return {
    bondAtto: await parameter(places.accusationBond),
    maxSlashBps: Number(await parameter(places.maxSlashBps)),
    allowedAtto,
  };
}

const faces = { slashing, staking, token, parameters };

async function ask(
  pool: RpcPool,
  { contracts }: Contracts,
  contract: keyof typeof faces,
  name: string,
  values: readonly unknown[],
  block = 'latest',
) {
  const data = faces[contract].encodeFunctionData(name, [...values]);
  const answer = (await pool.call('eth_call', { to: contracts[contract], data }, block)) as string;
  return faces[contract].decodeFunctionResult(name, answer);
}

const hexOf = (block: number): string => `0x${block.toString(16)}`;
const timeOf = (seconds: bigint): Date => new Date(Number(seconds) * 1_000);
