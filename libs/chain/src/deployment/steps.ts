import { getCreateAddress, id, ZeroAddress, ZeroHash } from 'ethers';
import { AstroGovernor__factory } from '../gen/factories/AstroGovernor__factory.js';
import { AstroToken__factory } from '../gen/factories/AstroToken__factory.js';
import { ERC1967Proxy__factory } from '../gen/factories/ERC1967Proxy__factory.js';
import { Escrow__factory } from '../gen/factories/Escrow__factory.js';
import { Grants__factory } from '../gen/factories/Grants__factory.js';
import { ProtocolParameters__factory } from '../gen/factories/ProtocolParameters__factory.js';
import { Rewards__factory } from '../gen/factories/Rewards__factory.js';
import { Slashing__factory } from '../gen/factories/Slashing__factory.js';
import { Staking__factory } from '../gen/factories/Staking__factory.js';
import { TimelockController__factory } from '../gen/factories/TimelockController__factory.js';
import { Treasury__factory } from '../gen/factories/Treasury__factory.js';
import { Vesting__factory } from '../gen/factories/Vesting__factory.js';
import type { ContractName } from './addresses.js';
import type { DeploymentConfiguration } from './configuration.js';

/** One transaction of the deployer. Without `to` it makes a contract, at an address that its nonce decides. */
export type Step = { readonly says: string; readonly to?: string; readonly data: string };

/** Nonces of the deployer, counted from its first: contracts name each other before they are there. */
const order = {
  timelock: 0,
  treasury: 1,
  token: 2,
  vesting: 3,
  parameters: 4,
  rewardsCode: 5,
  rewards: 6,
  stakingCode: 7,
  staking: 8,
  slashing: 9,
  escrowCode: 10,
  escrow: 11,
  grants: 12,
  governor: 13,
} as const;
type Place = keyof typeof order;

/** Where everything will be when the deployer begins with `nonce`. */
export function addressesFrom(deployer: string, nonce: number): Readonly<Record<Place, string>> {
  const entries = Object.entries(order).map(([name, step]) => [
    name,
    getCreateAddress({ from: deployer, nonce: nonce + step }),
  ]);
  return Object.fromEntries(entries) as Record<Place, string>;
}

/** What the deployer sends, in the order of its nonces; the last one takes its own right away. */
export async function deploymentSteps(
  config: DeploymentConfiguration,
  deployer: string,
  nonce: number,
): Promise<readonly Step[]> {
  const at = addressesFrom(deployer, nonce);
  const { roles, governance } = config;
  const timelock = TimelockController__factory.createInterface();
  const creations: Record<Place, Promise<{ readonly data: string }>> = {
    timelock: new TimelockController__factory().getDeployTransaction(
      governance.timelockSeconds,
      [],
      [ZeroAddress],
      deployer,
    ),
    treasury: new Treasury__factory().getDeployTransaction(at.timelock),
    token: new AstroToken__factory().getDeployTransaction(config.supply, allocationsOf(config, at)),
    vesting: new Vesting__factory().getDeployTransaction(at.token, at.timelock, at.treasury, config.vesting),
    parameters: new ProtocolParameters__factory().getDeployTransaction(
      at.timelock,
      Object.values(config.parameters),
    ),
    rewardsCode: new Rewards__factory().getDeployTransaction(),
    rewards: behindProxy(
      at.rewardsCode,
      Rewards__factory.createInterface().encodeFunctionData('initialize', [
        ...([at.token, at.parameters, at.timelock, roles.publisher, roles.guardian] as const),
        config.emission,
      ]),
    ),
    stakingCode: new Staking__factory().getDeployTransaction(),
    staking: behindProxy(
      at.stakingCode,
      Staking__factory.createInterface().encodeFunctionData('initialize', [
        ...([at.token, at.parameters, at.treasury, at.timelock, at.slashing] as const),
      ]),
    ),
    slashing: new Slashing__factory().getDeployTransaction(
      ...([at.token, at.staking, at.parameters, at.treasury, at.timelock, roles.verifier] as const),
    ),
    escrowCode: new Escrow__factory().getDeployTransaction(),
    escrow: behindProxy(
      at.escrowCode,
      Escrow__factory.createInterface().encodeFunctionData('initialize', [
        ...([at.token, at.parameters, at.treasury, at.timelock, roles.settler, roles.guardian] as const),
        at.rewards,
      ]),
    ),
    grants: new Grants__factory().getDeployTransaction(at.token, at.treasury, at.timelock, roles.reviewer),
    governor: new AstroGovernor__factory().getDeployTransaction(at.token, at.timelock, governance),
  };
  const made = await Promise.all(
    (Object.keys(order) as Place[]).map(async name => ({
      says: `deploys ${name}`,
      data: (await creations[name]).data,
    })),
  );
  const grant = (role: string) => timelock.encodeFunctionData('grantRole', [id(role), at.governor]);
  return [
    ...made,
    { says: 'lets the governor propose', to: at.timelock, data: grant('PROPOSER_ROLE') },
    { says: 'lets the governor cancel', to: at.timelock, data: grant('CANCELLER_ROLE') },
    {
      says: 'gives up the right to administer',
      to: at.timelock,
      data: timelock.encodeFunctionData('renounceRole', [ZeroHash, deployer]),
    },
  ];
}

const behindProxy = (code: string, initialization: string) =>
  new ERC1967Proxy__factory().getDeployTransaction(code, initialization);

const allocationsOf = ({ allocations }: DeploymentConfiguration, at: Readonly<Record<Place, string>>) =>
  allocations.map(({ name, holder, amount }) => ({
    name,
    amount,
    holder: holder === 'rewards' || holder === 'treasury' || holder === 'vesting' ? at[holder] : holder,
  }));

/** Of what everybody else has to know. */
export function publicAddresses(deployer: string, nonce: number): Record<ContractName, string> {
  const {
    rewardsCode: _rewards,
    stakingCode: _staking,
    escrowCode: _escrow,
    ...rest
  } = addressesFrom(deployer, nonce);
  return rest;
}
