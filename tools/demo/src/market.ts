import { fileURLToPath } from 'node:url';
import type { Platform } from '@astro/devstack/platform';
import type { Story } from './story.js';

export type Participant = {
  readonly operator: string;
  readonly region: string;
  readonly pricePerSecondAtto: bigint;
  readonly cpuMillis: number;
  readonly memoryMib: number;
};

export type Market = {
  /** Names of operators by id. */
  readonly operators: ReadonlyMap<string, string>;
  readonly liar: { readonly operatorId: string; readonly operator: string };
};

const MILLI_ASTRO = 10n ** 15n;
const HEARTBEAT_MS = 1_000;

/** Operators that exist only in the demo: invented names, this machine's real processors. */
export const honest: readonly Participant[] = [
  {
    operator: 'Aurora',
    region: 'eu-north',
    pricePerSecondAtto: 2n * MILLI_ASTRO,
    cpuMillis: 1_000,
    memoryMib: 512,
  },
  {
    operator: 'Bay',
    region: 'us-west',
    pricePerSecondAtto: 3n * MILLI_ASTRO,
    cpuMillis: 2_000,
    memoryMib: 1_024,
  },
  {
    operator: 'Cedar',
    region: 'us-east',
    pricePerSecondAtto: 4n * MILLI_ASTRO,
    cpuMillis: 1_000,
    memoryMib: 768,
  },
  {
    operator: 'Delta',
    region: 'ap-south',
    pricePerSecondAtto: 5n * MILLI_ASTRO,
    cpuMillis: 2_000,
    memoryMib: 2_048,
  },
];
/** The cheapest of all, so that it gets work in every round. */
export const lying: Participant = {
  operator: 'Mirage',
  region: 'eu-west',
  pricePerSecondAtto: MILLI_ASTRO,
  cpuMillis: 1_000,
  memoryMib: 512,
};

/** Registers the operators and starts an agent for each: four that work and one that lies about its results. */
export async function openMarket(platform: Platform, story: Story): Promise<Market> {
  const operators = new Map<string, string>();
  const join = async (participant: Participant, entry?: string): Promise<string> => {
    const { operator, ...offer } = participant;
    const { operatorId, apiKey } = await platform.administration().registerOperator(operator);
    const name = `agent-${operator.toLowerCase()}`;
    await platform.startAgent({
      name,
      operatorKey: apiKey,
      heartbeatMs: HEARTBEAT_MS,
      ...offer,
      ...(entry && { entry }),
    });
    operators.set(operatorId, operator);
    return operatorId;
  };
  const [, operatorId] = await Promise.all([
    Promise.all(honest.map(participant => join(participant))),
    join(lying, fileURLToPath(new URL('./lying-agent.js', import.meta.url))),
  ]);
  story.step(
    `${honest.length} agents of different operators joined, and one more that will lie about its results`,
  );
  return { operators, liar: { operatorId, operator: lying.operator } };
}
