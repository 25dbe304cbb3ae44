import { describe, expect, test } from '@jest/globals';
import type { PoolCommand } from '@astro/messages/scheduling';
import { admit, after, withdraw } from '../pool-examples.js';
import { admitMachine, examplePolicy, queueAsks, taught } from './learning.fixture.js';
import { learningLimits } from './learning-limits.js';
import { hasDrifted, lessonOf } from './lesson.js';

const t4 = { vcpu: 32, devices: 4, model: 'T4' };
const whole = { vcpu: 8, devices: 1 };
const lessonAfter = (...commands: readonly PoolCommand[]) => lessonOf(after(...commands).state);

describe('a pool learns', () => {
  test('nothing without devices, or before anything has been asked of them', () => {
    expect(lessonAfter(admit('node_a'), queueAsks('job_1', 90, { vcpu: 1, devices: 0 }))).toBeUndefined();
    expect(lessonAfter(admitMachine('node_a', t4), queueAsks('job_1', 24, whole))).toBeUndefined();
    expect(lessonAfter(admitMachine('node_a', t4), queueAsks('job_1', 26, whole))).toBeDefined();
  });

  test('from its nodes by their hardware, and from what some node could host', () => {
    const lesson = lessonAfter(...taught, queueAsks('job_none', 50, { vcpu: 8, devices: 5 }))!;
    expect(lesson.fleet.map(({ shape, count }) => [shape.cpuMillis, shape.unitCount, count])).toEqual([
      [32_000, 4, 3],
      [96_000, 2, 1],
    ]);
    expect(lesson.arrivals.map(({ demand }) => demand.unitCount)).not.toContain(5);
    const small = lesson.arrivals.find(({ demand }) => demand.shareThousandths === 250);
    expect(small?.rate).toBeCloseTo(20, 0);
  });

  test('from no more than its limits', () => {
    const count = learningLimits.demands + 20;
    const asks = Array.from({ length: count }, (_, index) =>
      queueAsks(`job_${index}`, index + 1, { vcpu: 1, devices: 1, share: index + 1 }),
    );
    const lesson = lessonAfter(admitMachine('node_a', t4), ...asks)!;
    expect(lesson.arrivals).toHaveLength(learningLimits.demands);
    // The rarest are left out.
    expect(Math.min(...lesson.arrivals.map(({ rate }) => rate))).toBeGreaterThan(12);
    const shapes = Array.from({ length: learningLimits.shapes + 1 }, (_, index) =>
      admitMachine(`node_${index}`, { ...t4, vcpu: 32 + index }),
    );
    expect(lessonAfter(...shapes, queueAsks('job_1', 90, whole))!.fleet).toHaveLength(learningLimits.shapes);
  });
});

describe('what was learned no longer suits', () => {
  const drifts = (...more: readonly PoolCommand[]) =>
    hasDrifted(examplePolicy, lessonAfter(...taught, ...more)!);

  test('when a tenth of the arrivals is other than it was, in parts and not in number', () => {
    expect(drifts()).toBe(false);
    expect(drifts(queueAsks('job_1', 3, { vcpu: 3, devices: 1 }))).toBe(false);
    expect(drifts(queueAsks('job_1', 20, { vcpu: 3, devices: 1 }))).toBe(true);
    expect(drifts(...allAgain)).toBe(false);
  });

  test('when a tenth of the nodes came, left or changed', () => {
    expect(drifts(admitMachine('node_a', { ...t4, vcpu: 33 }))).toBe(true);
    expect(drifts(withdraw('node_a'))).toBe(true);
    expect(drifts(withdraw('node_a'), admitMachine('node_e', t4))).toBe(false);
  });
});

/** What arrived, and what a pool believes from the beginning, once more: all has doubled. */
const allAgain: readonly PoolCommand[] = [
  queueAsks('again_whole', 30 + 20, whole),
  queueAsks('again_large', 30, { vcpu: 4, devices: 1, share: 700 }),
  queueAsks('again_small', 20, { vcpu: 2, devices: 1, share: 250 }),
  queueAsks('again_cpu', 20 + 14, { vcpu: 4, devices: 0 }),
  queueAsks('again_half', 15, { vcpu: 4, devices: 1, share: 500 }),
];
