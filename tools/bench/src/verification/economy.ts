import { readFile } from 'node:fs/promises';
import { z } from 'zod';

/** What decides whether cheating pays. */
export type Economy = {
  readonly stakeAstro: number;
  /** Part of the stake that a penalty takes. */
  readonly slashedShare: number;
  /** Paid for a result that is believed. */
  readonly taskAstro: number;
  /** Part of it that doing the work costs; who makes a result up saves it. */
  readonly costShare: number;
};

/** What decides whether a validator that does not run what it judges gains by it. */
export type ValidatorEconomy = Pick<Economy, 'stakeAstro' | 'slashedShare' | 'costShare'> & {
  /** Paid for a correct verdict. */
  readonly auditAstro: number;
};

const defaults = z.object({
  parameters: z.object({
    minOperatorStake: z.coerce.number(),
    minValidatorStake: z.coerce.number(),
    maxSlashBps: z.number(),
  }),
});

/** The stakes that the protocol is deployed with. A task is a hundred seconds at the price of the demo's nodes. */
export async function defaultEconomy(): Promise<Economy> {
  const { minOperatorStake: stakeAstro, maxSlashBps } = await deployedParameters();
  return { stakeAstro, slashedShare: maxSlashBps / 10_000, taskAstro: 0.01, costShare: 0.7 };
}

/** The same of validators, for whom a verdict pays what a task does. */
export async function defaultValidatorEconomy(): Promise<ValidatorEconomy> {
  const { minValidatorStake: stakeAstro, maxSlashBps } = await deployedParameters();
  return { stakeAstro, slashedShare: maxSlashBps / 10_000, auditAstro: 0.01, costShare: 0.7 };
}

async function deployedParameters() {
  const file = new URL('../../../../deploy/chain/local.json', import.meta.url);
  return defaults.parse(JSON.parse(await readFile(file, 'utf8'))).parameters;
}

/** What one node did and got. */
export type Account = { paid: number; worked: number; isSlashed: boolean };

/** In ASTRO, over the whole run. */
export const profitOf = ({ paid, worked, isSlashed }: Account, economy: Economy): number =>
  (paid - worked * economy.costShare) * economy.taskAstro -
  (isSlashed ? economy.stakeAstro * economy.slashedShare : 0);
