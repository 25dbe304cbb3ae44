import { expect, test } from '@jest/globals';
import { isAheadOfItsTasks } from './job-resource.js';

const job = (status: Parameters<typeof isAheadOfItsTasks>[0]['status'], ...tasks: readonly string[]) => ({
  status,
  tasks: tasks.map(of => ({ id: 'task_1', outputs: [], status: of as 'running' })),
});

test.each([
  ['succeeded', 'succeeded', 'running'],
  ['failed', 'waiting'],
  ['cancelled', 'succeeded', 'running'],
] as const)('a job that has %s has no task that goes on: the tasks are behind', (status, ...tasks) =>
  expect(isAheadOfItsTasks(job(status, ...tasks))).toBe(true),
);

test.each([
  ['running', 'succeeded', 'running'],
  ['queued', 'waiting'],
  ['succeeded', 'succeeded'],
  ['failed', 'succeeded', 'failed'],
  ['cancelled', 'cancelled'],
] as const)('a job that is %s is shown with its tasks as they are', (status, ...tasks) =>
  expect(isAheadOfItsTasks(job(status, ...tasks))).toBe(false),
);
