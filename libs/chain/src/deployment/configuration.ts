import { getAddress, isAddress, parseEther } from 'ethers';
import { z } from 'zod';

/** `1000000` or `0.5`, in ASTRO; base units are 10^18 of it. */
const astro = z
  .string()
  .regex(/^\d{1,11}(\.\d{1,18})?$/, 'must be an amount of ASTRO such as "1000" or "0.5"')
  .transform(text => parseEther(text));
const address = z
  .string()
  .refine(isAddress, 'must be an address')
  .transform(text => getAddress(text));
const time = z.iso.datetime().transform(text => BigInt(Math.floor(Date.parse(text) / 1_000)));
const seconds = z.number().int().min(0).transform(BigInt);
const bps = z.number().int().min(0).max(10_000).transform(BigInt);

/** In the order of the contract's enumeration. */
const parameters = z.strictObject({
  feeBps: bps,
  feeBurnShareBps: bps,
  minOperatorStake: astro,
  minValidatorStake: astro,
  maxDelegationMultiple: z.number().int().min(0).transform(BigInt),
  unbondingSeconds: seconds,
  disputeWindowSeconds: seconds,
  appealWindowSeconds: seconds,
  appealTimeoutSeconds: seconds,
  accusationBond: astro,
  maxSlashBps: bps,
  slashReporterShareBps: bps,
  slashBurnShareBps: bps,
  withdrawalDelaySeconds: seconds,
  pauseLimitSeconds: seconds,
  rewardChallengeSeconds: seconds,
  feeValidatorShareBps: bps,
});

/** By their place in the contract's enumeration. */
export const parameterNames: readonly string[] = Object.keys(parameters.shape);

const capAtto = parseEther('10000000000');
/** Whoever works on Astro or has paid for it early gets tokens only as they vest. */
const lockedShares = new Set(['team', 'early-contributors', 'investors']);

/** The file that says what is deployed. */
export const deploymentConfiguration = z
  .strictObject({
    /** All that will ever exist. */
    supply: astro,
    /** `holder` is an address, or one of the contracts that hold a share. */
    allocations: z
      .array(
        z.strictObject({
          name: z.string().regex(/^[a-z][a-z-]{0,62}$/, 'must be lower case words joined by dashes'),
          holder: z.union([z.enum(['rewards', 'treasury', 'vesting']), address]),
          amount: astro,
        }),
      )
      .min(1)
      .max(64),
    vesting: z
      .array(
        z.strictObject({
          beneficiary: address,
          amount: astro,
          start: time,
          cliffSeconds: seconds,
          durationSeconds: seconds,
          revocable: z.boolean(),
        }),
      )
      .max(256),
    emission: z.strictObject({ start: time, firstEra: astro, decayBps: bps }),
    parameters,
    roles: z.strictObject({
      settler: address,
      verifier: address,
      publisher: address,
      guardian: address,
      reviewer: address,
    }),
    governance: z.strictObject({
      timelockSeconds: seconds,
      votingDelaySeconds: seconds,
      votingPeriodSeconds: seconds,
      lateQuorumSeconds: seconds,
      proposalThreshold: astro,
      quorumPercent: z.number().int().min(1).max(100).transform(BigInt),
    }),
  })
  .superRefine(({ supply, allocations, vesting }, context) => {
    const wrong = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    const sum = (rows: readonly { readonly amount: bigint }[]) =>
      rows.reduce((all, row) => all + row.amount, 0n);
    if (supply > capAtto) wrong('supply', `${supply} is above the cap of ${capAtto}`);
    if (sum(allocations) !== supply)
      wrong('allocations', `add up to ${sum(allocations)}, and the supply is ${supply}`);
    const locked = sum(allocations.filter(({ holder }) => holder === 'vesting'));
    if (sum(vesting) !== locked) wrong('vesting', `adds up to ${sum(vesting)}, and vesting holds ${locked}`);
    for (const { name, holder } of allocations)
      if (lockedShares.has(name) && holder !== 'vesting')
        wrong('allocations', `${name} must be held by vesting, not by ${holder}`);
  });

export type DeploymentConfiguration = z.infer<typeof deploymentConfiguration>;

/** The configuration was refused; one line for each field. */
export class InvalidDeployment extends Error {
  override readonly name = 'InvalidDeployment';
  constructor(readonly lines: readonly string[]) {
    super(lines.join('\n'));
  }
}

/** @throws InvalidDeployment */
export function readConfiguration(json: unknown): DeploymentConfiguration {
  const parsed = deploymentConfiguration.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new InvalidDeployment(
    parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'configuration'}: ${message}`),
  );
}
