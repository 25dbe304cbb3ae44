import { id, Interface, ZeroHash } from 'ethers';
import type { RpcPool } from '../rpc/pool.js';
import { contractNames, type Deployment } from './addresses.js';

const roles = new Interface([
  'event RoleGranted(bytes32 indexed role, address indexed account, address indexed sender)',
  'event RoleRevoked(bytes32 indexed role, address indexed account, address indexed sender)',
]);

type Log = { readonly address: string; readonly topics: string[]; readonly data: string };

/** Contracts with an administrator of their own. The token has none, and the governor is one by the timelock. */
const administered = contractNames.filter(name => name !== 'token' && name !== 'governor');

/** Who may do what beyond the plan; empty when the timelock alone administers and the governor alone proposes. */
export async function foreignPowers(pool: RpcPool, deployment: Deployment): Promise<readonly string[]> {
  const { contracts, before } = deployment;
  const holders = await holdersOf(pool, deployment, before.number);
  const problems: string[] = [];
  const expect = (contract: string, role: string, label: string, wanted: string) => {
    const found = [...(holders.get(`${contract.toLowerCase()} ${role}`) ?? [])];
    for (const holder of found)
      if (holder !== wanted) problems.push(`${holder} is ${label} of ${nameOf(deployment, contract)}`);
    if (!found.includes(wanted))
      problems.push(`${wanted} is not ${label} of ${nameOf(deployment, contract)}`);
  };
  for (const name of administered) expect(contracts[name], ZeroHash, 'administrator', contracts.timelock);
  expect(contracts.timelock, id('PROPOSER_ROLE'), 'proposer', contracts.governor);
  expect(contracts.timelock, id('CANCELLER_ROLE'), 'canceller', contracts.governor);
  expect(contracts.staking, id('SLASHER_ROLE'), 'slasher', contracts.slashing);
  return problems;
}

/** By contract and role: everybody whom a log has granted it to and none has taken it from. */
async function holdersOf(pool: RpcPool, { contracts }: Deployment, after: number) {
  const topics = [[roles.getEvent('RoleGranted')!.topicHash, roles.getEvent('RoleRevoked')!.topicHash]];
  const filter = { address: Object.values(contracts), topics, fromBlock: `0x${(after + 1).toString(16)}` };
  const logs = (await pool.call('eth_getLogs', filter)) as readonly Log[];
  const holders = new Map<string, Set<string>>();
  for (const log of logs) {
    const parsed = roles.parseLog(log)!;
    const key = `${log.address.toLowerCase()} ${parsed.args.getValue('role') as string}`;
    const accounts = holders.get(key) ?? new Set();
    const account = parsed.args.getValue('account') as string;
    if (parsed.name === 'RoleGranted') accounts.add(account);
    else accounts.delete(account);
    holders.set(key, accounts);
  }
  return holders;
}

const nameOf = ({ contracts }: Deployment, address: string): string =>
  Object.entries(contracts).find(([, at]) => at === address)?.[0] ?? address;
