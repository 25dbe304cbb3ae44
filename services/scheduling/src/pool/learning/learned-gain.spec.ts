import { expect, test } from '@jest/globals';
import { Random } from '@astro/matching/engine/random';
import type { PoolCommand } from '@astro/messages/scheduling';
import { pool } from '../pool.js';
import { at, grantsIn, queue, tick } from '../pool-examples.js';
import { adopt, admitMachine, learnedIn, specFor, type Ask, type Machine } from './learning.fixture.js';

/** Machines in the proportions of the published GPU trace (Weng et al., USENIX ATC 2023), a fiftieth of it. */
const machines: readonly { readonly machine: Machine; readonly count: number }[] = [
  { machine: { vcpu: 96, devices: 8, model: 'G2' }, count: 11 },
  { machine: { vcpu: 96, devices: 2, model: 'T4' }, count: 8 },
  { machine: { vcpu: 64, devices: 2, model: 'P100' }, count: 3 },
  { machine: { vcpu: 128, devices: 8, model: 'G3' }, count: 1 },
  { machine: { vcpu: 94, devices: 0, model: '' }, count: 2 },
];

/** Its most frequent requests, of a hundred; some ask for a model, as in its lists of constrained requests. */
const asks: readonly (Ask & { readonly of100: number })[] = [
  { vcpu: 4, devices: 1, share: 500, of100: 14 },
  { vcpu: 8, devices: 1, share: 810, of100: 10 },
  { vcpu: 4, devices: 1, share: 250, of100: 8 },
  { vcpu: 6, devices: 1, share: 700, of100: 6 },
  { vcpu: 8, devices: 1, of100: 20 },
  { vcpu: 8, devices: 1, model: 'T4', of100: 7 },
  { vcpu: 8, devices: 1, model: 'P100', of100: 4 },
  { vcpu: 8, devices: 1, model: 'G3', of100: 4 },
  { vcpu: 12, devices: 1, of100: 8 },
  { vcpu: 16, devices: 2, of100: 2 },
  { vcpu: 64, devices: 8, of100: 2 },
  { vcpu: 4, devices: 0, of100: 15 },
];

/** Jobs of one task in random order, until they have asked for all devices. */
function arrivals(seed: number): readonly PoolCommand[] {
  const units = machines.reduce((sum, { machine, count }) => sum + machine.devices * count, 0);
  const bag = asks.flatMap(ask => Array.from({ length: ask.of100 }, () => ask));
  const random = new Random(seed);
  const commands: PoolCommand[] = [];
  for (let asked = 0; asked < units;) {
    const ask = bag[random.below(bag.length)]!;
    const number = commands.length;
    commands.push(queue(`job_${number}`, specFor([`task_${number}`], ask), at(number)));
    asked += (ask.devices * (ask.share ?? 1_000)) / 1_000;
  }
  return commands;
}

/** Whole devices that are held when all have come, each placed before the next comes. Nothing ends meanwhile. */
function placed(commands: readonly PoolCommand[], learnsAfter: number): number {
  let state = pool.initialState;
  let thousandths = 0;
  const decide = (command: PoolCommand) => {
    const decision = pool.decide(command, state);
    if (!decision.accepted) throw new Error(`${command.type}: ${decision.rejection} ${decision.detail}`);
    for (const { units } of grantsIn(decision.events))
      for (const { shareThousandths } of units) thousandths += shareThousandths;
    state = decision.events.reduce(pool.evolve, state);
  };
  for (const { machine, count } of machines)
    for (let index = 0; index < count; index++) decide(admitMachine(`${machine.model}_${index}`, machine));
  for (const [number, command] of commands.entries()) {
    if (number === learnsAfter) decide(adopt(learnedIn(state)));
    decide(command);
    decide(tick(at(number)));
  }
  return thousandths / 1_000;
}

test('a pool that has learned its mix places more than tight fit does', () => {
  const gains = [1, 2, 3, 4, 5].map(seed => {
    const commands = arrivals(seed);
    return placed(commands, 30) - placed(commands, Infinity);
  });
  // In devices, of 118 each.
  expect(Math.min(...gains)).toBeGreaterThanOrEqual(0);
  expect(gains.reduce((sum, gain) => sum + gain)).toBeGreaterThan(10);
});
