import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Benchmark, Progress } from './benchmark.js';
import { startBusServer } from './bus-server.js';
import { startProgram } from './instance.js';
import { median, rounded } from './measure.js';
import { simulateAudits, type AuditOutcome } from './verification/audits.js';
import { defaultEconomy, defaultValidatorEconomy } from './verification/economy.js';
import { freivaldsRatio } from './verification/freivalds.js';
import { simulate, type Outcome } from './verification/scenarios.js';
import { plainPublishesPerSecond } from './verification/plain-publishes.js';
import { verdictsPerSecond } from './verification/verdicts.js';

const WARM_UP_TASKS = 5_000;
const TASKS = 10_000;
/** In each scenario of audits there is one for so many tasks of the others. */
const TASKS_OF_AUDIT = 50;
/** The three take turns, so that what else the machine does meets all of them. */
const ROUNDS = 3;
/** The first result of no task is drawn, so that each verdict is of one. */
const alone = { replicas: 1, verification: { policy: 'recheck', samplePpm: 1 } } as const;

/** Of the real service: verdicts by one result each and by two that agree, beside plain publishes of their events. */
async function verdicts(folder: string, progress: Progress) {
  const { bus, server, stop } = await startBusServer(join(folder, 'bus'), true);
  try {
    const instance = await startProgram('./verdict-instance.js', server.url);
    await verdictsPerSecond(bus, { tasks: WARM_UP_TASKS, replicas: 2 }, 2);
    const rates = { ofOne: [] as number[], ofTwo: [] as number[], plain: [] as number[] };
    for (let round = 1; round <= ROUNDS; round++) {
      rates.ofOne.push(await verdictsPerSecond(bus, { tasks: TASKS, ...alone }, 1));
      rates.ofTwo.push(await verdictsPerSecond(bus, { tasks: TASKS, replicas: 2 }, 2));
      rates.plain.push(await plainPublishesPerSecond(bus));
      const [ofOne, ofTwo, plain] = Object.values(rates).map(values => rounded(values.at(-1)!));
      progress(`${ofOne} verdicts/s of one result, ${ofTwo} of two, ${plain} plain publishes/s`);
    }
    await instance.stop();
    return {
      verdictsPerSecond: rounded(median(rates.ofOne)),
      verdictsOfTwoPerSecond: rounded(median(rates.ofTwo)),
      plainPublishesPerSecond: rounded(median(rates.plain)),
    };
  } finally {
    await stop();
  }
}

/** Short enough to be read; what is too small for its digits keeps them. */
const legible = (outcome: Outcome): Outcome => ({
  ...outcome,
  overhead: rounded(outcome.overhead, 4),
  wrongAccepted: rounded(outcome.wrongAccepted, 7),
  wrongDelivered: rounded(outcome.wrongDelivered, 7),
  expelAfterTasks: outcome.expelAfterTasks && rounded(outcome.expelAfterTasks, 1),
  expelledShare: outcome.expelledShare && rounded(outcome.expelledShare, 3),
  profitVsHonest: outcome.profitVsHonest && rounded(outcome.profitVsHonest, 3),
});

export const verification: Benchmark = {
  measures:
    'verification policies and audits with cheats, simulated; verdicts a second; and Freivalds’ check',
  usage: `npm run bench -- verification [options]
  --tasks 1000000   of each scenario of the policy adaptive; a fifth of them of each of the others
  --seed 1          the same seed gives the same market
  --verdicts        only the verdicts, which take a minute or two
  --json            only the JSON`,

  async run(folder, progress, options) {
    const { tasks, seed, verdictsAlone } = optionsOf(options);
    if (verdictsAlone) return verdicts(folder, progress);
    const economy = await defaultEconomy();
    const scenarios: Outcome[] = [];
    for (const outcome of simulate(tasks, seed, economy)) {
      scenarios.push(legible(outcome));
      progress(`${outcome.policy}, ${outcome.strategy}, ${outcome.cheats} %`);
    }
    console.error(tableOf(scenarios));
    const audits = [
      ...simulateAudits(Math.ceil(tasks / TASKS_OF_AUDIT), seed, await defaultValidatorEconomy()),
    ];
    console.error(tableOfAudits(audits));
    const { ratio, workMs, checkMs } = freivaldsRatio();
    progress(`a product takes ${rounded(workMs)} ms of a processor, its check ${rounded(checkMs, 1)} ms`);
    return {
      seed,
      economy,
      scenarios,
      audits,
      freivaldsRatio: rounded(ratio, 1),
      ...(await verdicts(folder, progress)),
    };
  },
};

type Options = { readonly tasks: number; readonly seed: number; readonly verdictsAlone: boolean };

function optionsOf(options: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...options],
    options: {
      tasks: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '1' },
      verdicts: { type: 'boolean', default: false },
    },
  });
  const [tasks, seed] = [Number(values.tasks), Number(values.seed)];
  if (!Number.isInteger(tasks) || tasks < 1_000 || tasks > 10_000_000)
    throw new RangeError('--tasks: 1,000 to 10,000,000');
  if (!Number.isInteger(seed) || seed < 0) throw new RangeError('--seed: a whole number');
  return { tasks, seed, verdictsAlone: values.verdicts };
}

/** A cheat's expected profit against an honest node's, by policy and strategy, scenario by scenario. */
function tableOf(scenarios: readonly Outcome[]): string {
  const lines = scenarios.map(
    ({ policy, strategy, cheats, areKnown, overhead, wrongAccepted, honestSlashed, profitVsHonest }) =>
      [
        policy.padEnd(17),
        `${strategy}${areKnown ? ', one network' : ''}`.padEnd(28),
        `${cheats} %`.padStart(5),
        overhead.toFixed(3).padStart(8),
        wrongAccepted.toExponential(1).padStart(9),
        `${honestSlashed}`.padStart(7),
        (profitVsHonest ?? 0).toFixed(2).padStart(10),
      ].join(' '),
  );
  const head =
    'policy            strategy                      cheat overhead     wrong slashed  profit vs honest (ASTRO)';
  return [head, ...lines].join('\n');
}

/** The same of validators, by strategy and rate of planted tasks. */
function tableOfAudits(audits: readonly AuditOutcome[]): string {
  const lines = audits.map(
    ({ strategy, plantedPpm, wrongVerdicts, inconclusive, honestSlashed, slashedAfter, profitVsHonest }) =>
      [
        strategy.padEnd(19),
        `${plantedPpm / 10_000} %`.padStart(7),
        `${wrongVerdicts}`.padStart(6),
        `${inconclusive}`.padStart(7),
        `${honestSlashed}`.padStart(7),
        (slashedAfter?.toFixed(1) ?? '').padStart(13),
        profitVsHonest.toFixed(2).padStart(10),
      ].join(' '),
  );
  const head = 'validator           planted  wrong unclear slashed slashed after  profit vs honest (ASTRO)';
  return [head, ...lines].join('\n');
}
