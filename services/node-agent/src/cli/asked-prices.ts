import { z } from 'zod';
import { nodeAgentConfig, type NodeAgentConfig } from '../node-agent.config.js';
import { changeConfigFile, settingsNow, settingsWith } from './config-file.js';

/** What an operator may change while the agent runs, and the keys that it stands under. */
export const priceKeys = {
  onDemand: 'PRICE_PER_SECOND_ATTO',
  interruptible: 'INTERRUPTIBLE_PRICE_PER_SECOND_ATTO',
  perGibTransferred: 'PRICE_PER_GIB_TRANSFERRED_ATTO',
} as const;

const asked = nodeAgentConfig.pick({
  PRICE_PER_SECOND_ATTO: true,
  INTERRUPTIBLE_PRICE_PER_SECOND_ATTO: true,
  PRICE_PER_GIB_TRANSFERRED_ATTO: true,
});

/** The configuration with the prices as file and environment say them now. @throws Error naming what breaks its rule */
export async function withAskedPrices(
  config: NodeAgentConfig,
  configFile: string,
  env: NodeJS.ProcessEnv,
): Promise<NodeAgentConfig> {
  const prices = await settingsNow(asked, configFile, env);
  // A price that is asked no more is not in what was read.
  const {
    INTERRUPTIBLE_PRICE_PER_SECOND_ATTO: _interruptible,
    PRICE_PER_GIB_TRANSFERRED_ATTO: _perGib,
    ...rest
  } = config;
  return { ...rest, ...prices };
}

export type Prices = {
  readonly onDemand: string;
  readonly interruptible?: string | undefined;
  readonly perGibTransferred?: string | undefined;
};
/** Words for asking nothing of one's own. */
const WITHOUT = ['half', 'none'];

/**
 * Writes what is asked for from now on, and says all that is asked then. Nothing is written that the agent would not
 * take.
 * @throws Error naming the price that breaks its rule, or the variable of the environment that would win
 */
export async function changePrices(
  configFile: string,
  env: NodeJS.ProcessEnv,
  wanted: Partial<Record<keyof typeof priceKeys, string | undefined>>,
): Promise<Prices> {
  const changes = Object.entries(wanted).flatMap(([name, value]) =>
    value === undefined ? [] : [[priceKeys[name as keyof typeof priceKeys], value] as const],
  );
  for (const [key] of changes)
    if (env[key])
      throw new Error(`${key} is set in the environment, which wins over ${configFile}: change it there`);
  const written = Object.fromEntries(
    changes.map(([key, value]) => [key, WITHOUT.includes(value) ? undefined : value]),
  );
  const settings = Object.entries({ ...(await settingsWith(configFile, env)), ...written });
  const read = asked.safeParse(Object.fromEntries(settings.filter(([, value]) => value !== undefined)));
  if (!read.success) throw new Error(z.prettifyError(read.error));
  const { data } = read;
  const interruptible = data.INTERRUPTIBLE_PRICE_PER_SECOND_ATTO;
  if (interruptible !== undefined && BigInt(interruptible) > BigInt(data.PRICE_PER_SECOND_ATTO))
    throw new Error('the price of what may be stopped must not be above the other');
  if (changes.length > 0) await changeConfigFile(configFile, written);
  return {
    onDemand: data.PRICE_PER_SECOND_ATTO,
    interruptible,
    perGibTransferred: data.PRICE_PER_GIB_TRANSFERRED_ATTO,
  };
}
