import { changeConfigFile, readConfigFile, under, type Settings } from './config-file.js';
import { joinMarket, setUpFrom, type Joined } from './node-setup.js';
import type { Places } from './places.js';

export type Initiated = Joined & Places & { readonly isConfigChanged: boolean };

/** What a node is asked for when it is set up. What is not said stays as it is, or is what the agent assumes. */
export const asksOfInit = {
  gateway: 'GATEWAY_URL',
  operatorKey: 'OPERATOR_KEY',
  region: 'REGION',
  price: 'PRICE_PER_SECOND_ATTO',
  interruptiblePrice: 'INTERRUPTIBLE_PRICE_PER_SECOND_ATTO',
  name: 'AGENT_NAME',
  port: 'HTTP_PORT',
  runtimes: 'RUNTIMES',
} as const;
export type Answers = Readonly<Partial<Record<keyof typeof asksOfInit, string | undefined>>>;

/** What an earlier run has written, for the questions to begin from. */
export async function earlierAnswers({ configFile }: Places): Promise<Answers> {
  const file = (await readConfigFile(configFile)) ?? {};
  return Object.fromEntries(Object.entries(asksOfInit).map(([name, key]) => [name, file[key]]));
}

/**
 * Checks the configuration as the agent would, writes it, and joins the market. Nothing is written that is not valid;
 * repeating changes nothing.
 * @throws InvalidConfig naming each setting that is wrong
 */
export async function initNode(places: Places, answers: Answers, env: NodeJS.ProcessEnv): Promise<Initiated> {
  const written = settingsOf(places, answers, (await readConfigFile(places.configFile)) ?? {});
  const setup = await setUpFrom(under(env, written));
  const isConfigChanged = await changeConfigFile(places.configFile, written);
  return { ...(await joinMarket(setup)), ...places, isConfigChanged };
}

function settingsOf({ stateDir }: Places, answers: Answers, earlier: Settings): Settings {
  const given = Object.entries(asksOfInit).flatMap(([name, key]) => {
    const value = answers[name as keyof Answers];
    return value === undefined ? [] : [[key, value] as const];
  });
  return { AGENT_STATE_DIR: stateDir, ...earlier, ...Object.fromEntries(given) };
}
