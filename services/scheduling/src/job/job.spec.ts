import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import { comesBack, shapeDigestOf } from '@astro/event-sourcing/specify-snapshot';
import type {
  CompleteTask,
  JobCommand,
  JobEvent,
  JobSpec,
  Program,
  SubmitJob,
} from '@astro/messages/scheduling';
import fc from 'fast-check';
import { job, type Job } from './job.js';
import { plainJob, plainRequirements } from '@astro/messages/unconstrained';

const cid = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';
const spec: JobSpec = {
  name: 'digits',
  program: { cid, timeLimitMs: 1500, memoryLimitMib: 64, outputLimitBytes: 1024 },
  requirements: {
    ...plainRequirements,
    deviceKind: 'cpu',
    cpuMillis: 500,
    memoryMib: 128,
    maxPricePerSecondAtto: 10n,
  },
  tasks: ['task_a', 'task_b'].map(taskId => ({ taskId, inputs: [{ name: 'shard.bin', cid }], args: [] })),
  quorum: 2,
  ...plainJob,
};
const submission: SubmitJob = {
  jobId: 'job_1',
  tenantId: 'tenant_1',
  poolId: 'main',
  spec,
  maxCostAtto: 60n,
};
const submit = (change: Partial<SubmitJob> = {}): JobCommand => ({
  type: 'SubmitJob',
  data: { ...submission, ...change },
});
const submitSpec = (change: Partial<JobSpec>) =>
  submit({ spec: { ...spec, ...change }, maxCostAtto: 10n ** 40n });
const queue: JobCommand = { type: 'QueueJob', data: { jobId: 'job_1' } };
const completion = (taskId: string): CompleteTask => ({
  jobId: 'job_1',
  taskId,
  outputs: [{ name: 'weights.bin', cid, sizeBytes: 9 }],
  digest: 'd'.repeat(64),
  work: [],
});
const complete = (taskId: string): JobCommand => ({ type: 'CompleteTask', data: completion(taskId) });
const fail: JobCommand = {
  type: 'FailJob',
  data: { jobId: 'job_1', reason: 'program_trapped', detail: 'unreachable' },
};
const cancel = (tenantId = 'tenant_1'): JobCommand => ({
  type: 'CancelJob',
  data: { jobId: 'job_1', tenantId },
});

const jobSubmitted: JobEvent = { type: 'JobSubmitted', data: submission };
const of = { jobId: 'job_1', tenantId: 'tenant_1' };
const jobQueued: JobEvent = { type: 'JobQueued', data: { ...of, poolId: 'main', spec } };
const succeeded = (taskId: string): JobEvent => ({
  type: 'TaskSucceeded',
  data: { ...of, ...completion(taskId) },
});
const jobSucceeded: JobEvent = { type: 'JobSucceeded', data: { ...of, tasksSucceeded: 2 } };
const failed = (tasksSucceeded: number): JobEvent => ({
  type: 'JobFailed',
  data: { ...of, poolId: 'main', reason: 'program_trapped', detail: 'unreachable', tasksSucceeded },
});
const cancelled = (tasksSucceeded: number): JobEvent => ({
  type: 'JobCancelled',
  data: { ...of, poolId: 'main', tasksSucceeded },
});
const done = [jobSubmitted, jobQueued, succeeded('task_a'), succeeded('task_b'), jobSucceeded];
const given = specify(job);

const image = `registry.example/model@sha256:${'0'.repeat(64)}`;
const executable: Program = {
  ...spec.program,
  runtime: 'process',
  memoryLimitMib: 8_192,
  needsNetwork: true,
};
const container: Program = { ...executable, runtime: 'container', cid: '', image };
const funding = { mode: 'stepwise', onShortage: 'notice_then_stop', noticeMs: 60_000 } as const;
const stepwise = { ...submission, spec: { ...spec, funding }, firstReservationAtto: 30n };
const stepwiseSubmitted: JobEvent = { type: 'JobSubmitted', data: stepwise };
const stepwiseQueued: JobEvent = {
  type: 'JobQueued',
  data: { ...of, poolId: 'main', spec: stepwise.spec, fundedAtto: 40n },
};
const shortage = { missingAtto: 7n, availableAtto: 2n, stopsAt: new Date(99) };
const note = (number: number): JobCommand => ({
  type: 'NoteShortage',
  data: { jobId: 'job_1', number, ...shortage },
});
const endOf = (number: number): JobCommand => ({ type: 'EndShortage', data: { jobId: 'job_1', number } });
const short = (number: number): JobEvent => ({
  type: 'JobShortOfFunds',
  data: { ...of, poolId: 'main', number, ...shortage },
});
const fundedAgain = (number: number): JobEvent => ({
  type: 'JobFundedAgain',
  data: { ...of, poolId: 'main', number },
});

describe('a job that is funded stepwise', () => {
  const past = [stepwiseSubmitted, stepwiseQueued];
  test('is submitted with what is reserved at first', () =>
    given().when(submit(stepwise)).then(stepwiseSubmitted));
  test('is the same when another price would have it reserve another amount', () =>
    given(stepwiseSubmitted)
      .when(submit({ ...stepwise, firstReservationAtto: 31n }))
      .thenNothing());
  test('is queued with what was reserved', () =>
    given(stepwiseSubmitted)
      .when({ type: 'QueueJob', data: { jobId: 'job_1', reservedAtto: 40n } })
      .then(stepwiseQueued));
  test('and another is queued with all that it can cost', () =>
    given(jobSubmitted)
      .when({ type: 'QueueJob', data: { jobId: 'job_1', reservedAtto: 60n } })
      .then(jobQueued));
  test.each([29n, 61n])(
    'reserves at first neither less than a task can cost nor more than all: not %s',
    first => {
      const decision = job.decide(submit({ ...stepwise, firstReservationAtto: first }), job.initialState);
      expect(decision).toMatchObject({ rejection: 'JobIsInvalid', detail: 'firstReservationAtto: 30 to 60' });
    },
  );
  test('says what is reserved at first, and no other job does', () => {
    const { firstReservationAtto: _first, ...unsaid } = stepwise;
    given().when({ type: 'SubmitJob', data: unsaid }).thenRejected('JobIsInvalid');
    given()
      .when(submit({ firstReservationAtto: 30n }))
      .thenRejected('JobIsInvalid');
  });

  test('is told that it is short', () =>
    given(...past)
      .when(note(1))
      .then(short(1)));
  test('is told so once', () =>
    given(...past, short(1))
      .when(note(1))
      .thenNothing());
  test('is told when there is money again', () =>
    given(...past, short(1))
      .when(endOf(1))
      .then(fundedAgain(1)));
  test('is told that once', () =>
    given(...past, short(1), fundedAgain(1))
      .when(endOf(1))
      .thenNothing());
  test('is not told of what is over', () => {
    given(...past, short(1), fundedAgain(1))
      .when(note(1))
      .thenNothing();
    given(...past, fundedAgain(2))
      .when(note(2), note(1), endOf(1))
      .thenNothing();
    given(...past, short(2))
      .when(endOf(1))
      .thenNothing();
    given(...past)
      .when(endOf(2))
      .then(fundedAgain(2));
  });
  test('is told of the next shortage', () =>
    given(...past, short(1), fundedAgain(1))
      .when(note(2))
      .then(short(2)));
  test('is told nothing after its end', () =>
    given(...past, cancelled(0))
      .when(note(1), endOf(1))
      .thenNothing());
  test('that was never submitted is not there', () => given().when(note(1)).thenRejected('JobNotFound'));
});

describe('submitting', () => {
  test.each([
    ['a module that is metered', { ...spec.program, runtime: 'wasm', fuelLimit: 1_000_000 }],
    ['an executable file that needs a network', executable],
    ['an image by its digest', container],
  ] as const)('a job may run %s', (_, program) => {
    const data = { ...submission, spec: { ...spec, program }, maxCostAtto: 10n ** 40n };
    return given().when(submit(data)).then({ type: 'JobSubmitted', data });
  });

  test('a sound job is submitted', () => given().when(submit()).then(jobSubmitted));
  test('the same submission again changes nothing', () => given(jobSubmitted).when(submit()).thenNothing());
  test('the same submission changes nothing after the end', () =>
    given(...done)
      .when(submit())
      .thenNothing());
  test('the same submission with another of the keys changes nothing', () =>
    given({ type: 'JobSubmitted', data: { ...submission, apiKeyId: 'key_1' } })
      .when(submit({ apiKeyId: 'key_2' }))
      .thenNothing());
  test('another job under the same id is refused', () =>
    given(jobSubmitted)
      .when(submit({ maxCostAtto: 61n }))
      .thenRejected('JobExists'));
  test('a cost below what the job can cost is refused', () =>
    given()
      .when(submit({ maxCostAtto: 59n }))
      .thenRejected('MaxCostIsTooLow'));

  const array = { count: 2, inputs: [{ name: 'shard-{index}', cids: [cid] }], args: ['{index}'] };
  const expanded = ['task_a', 'task_b'].map((taskId, index) => ({
    taskId,
    inputs: [{ name: `shard-${index}`, cid }],
    args: [`${index}`],
  }));
  test('an array is submitted with the tasks that it stands for', () => {
    const asArray = { ...submission, spec: { ...spec, array, tasks: expanded } };
    return given().when(submit(asArray)).then({ type: 'JobSubmitted', data: asArray });
  });

  const task = spec.tasks[0]!;
  const manyTasks = Array.from({ length: 1001 }, (_, index) => ({ ...task, taskId: `task_${index}` }));
  test.each<[string, JobCommand]>([
    ['jobId: ', submit({ jobId: 'job.1' })],
    ['tenantId: ', submit({ tenantId: '' })],
    ['apiKeyId: ', submit({ apiKeyId: 'key.1' })],
    ['spec.project: ', submitSpec({ project: '' })],
    ['spec.project: ', submitSpec({ project: 'a b' })],
    ['spec.project: ', submitSpec({ project: 'p'.repeat(65) })],
    ['spec.name: ', submitSpec({ name: 'x'.repeat(201) })],
    ['spec.tasks: 1 to', submitSpec({ tasks: [] })],
    ['spec.tasks: 1 to', submitSpec({ tasks: manyTasks })],
    ['spec.tasks: taskId', submitSpec({ tasks: [task, task] })],
    ['spec.array.count: ', submitSpec({ array: { ...array, count: 3 }, tasks: expanded })],
    ['spec.array.count: ', submitSpec({ array: { ...array, count: 0 }, tasks: expanded })],
    ['spec.array.maxParallel: ', submitSpec({ array, tasks: expanded, maxParallel: 3 })],
    [
      'spec.array.inputs[0].cids: ',
      submitSpec({ array: { ...array, inputs: [{ name: 'x', cids: [] }] }, tasks: expanded }),
    ],
    ['spec.tasks: must be those', submitSpec({ array, tasks: [expanded[1]!, expanded[0]!] })],
    ['spec.funding.mode: ', submitSpec({ funding: { ...funding, mode: 'unspecified' } })],
    ['spec.verification.policy: ', submitSpec({ verification: { policy: 'unspecified' } })],
    ['spec.verification.samplePpm: ', submitSpec({ verification: { policy: 'quorum', samplePpm: 1 } })],
    ['spec.verification.samplePpm: ', submitSpec({ verification: { policy: 'recheck' } })],
    ['spec.verification.samplePpm: ', submitSpec({ verification: { policy: 'recheck', samplePpm: 0 } })],
    [
      'spec.verification.samplePpm: ',
      submitSpec({ verification: { policy: 'recheck', samplePpm: 1_000_001 } }),
    ],
    ['spec.quorum: ', submitSpec({ verification: { policy: 'recheck', samplePpm: 1 }, quorum: 1 })],
    ['spec.funding.onShortage: ', submitSpec({ funding: { ...funding, onShortage: 'unspecified' } })],
    ['spec.funding.noticeMs: ', submitSpec({ funding: { ...funding, noticeMs: 604_800_001 } })],
    ['spec.funding.noticeMs: ', submitSpec({ funding: { ...funding, noticeMs: 0.5 } })],
    ['spec.checkpoints.everyMs: ', submitSpec({ checkpoints: { everyMs: 999, sizeLimitBytes: 1 } })],
    ['spec.checkpoints.everyMs: ', submitSpec({ checkpoints: { everyMs: 3_600_001, sizeLimitBytes: 1 } })],
    ['spec.checkpoints.sizeLimitBytes: ', submitSpec({ checkpoints: { everyMs: 1_000, sizeLimitBytes: 0 } })],
    [
      'spec.checkpoints.sizeLimitBytes: ',
      submitSpec({ checkpoints: { everyMs: 1_000, sizeLimitBytes: 67_108_865 } }),
    ],
    [
      'spec.funding.onShortage: ',
      submitSpec({ funding: { ...funding, mode: 'whole', onShortage: 'pause' } }),
    ],
    ['spec.funding.mode: ', submitSpec({ funding, gang: { topology: 'any' }, quorum: 1 })],
    ['spec.quorum: ', submitSpec({ quorum: 0 })],
    ['spec.quorum: ', submitSpec({ quorum: 6 })],
    ['spec.program.cid: ', submitSpec({ program: { ...spec.program, cid: '../etc' } })],
    ['spec.program.timeLimitMs: ', submitSpec({ program: { ...spec.program, timeLimitMs: 0 } })],
    ['spec.program.timeLimitMs: ', submitSpec({ program: { ...spec.program, timeLimitMs: 3_600_001 } })],
    ['spec.program.memoryLimitMib: ', submitSpec({ program: { ...spec.program, memoryLimitMib: 4_097 } })],
    ['spec.program.outputLimitBytes: ', submitSpec({ program: { ...spec.program, outputLimitBytes: 0 } })],
    ['spec.program.runtime: ', submitSpec({ program: { ...spec.program, runtime: 'unspecified' } })],
    ['spec.program.image: ', submitSpec({ program: { ...spec.program, image } })],
    ['spec.program.fuelLimit: ', submitSpec({ program: { ...spec.program, fuelLimit: 0.5 } })],
    ['spec.program.fuelLimit: only', submitSpec({ program: { ...executable, fuelLimit: 1 } })],
    ['spec.program.needsNetwork: ', submitSpec({ program: { ...spec.program, needsNetwork: true } })],
    ['spec.program.cid: ', submitSpec({ program: { ...container, cid } })],
    [
      'spec.program.image: ',
      submitSpec({ program: { ...container, image: 'registry.example/model:latest' } }),
    ],
    [
      'spec.requirements.deviceKind: ',
      submitSpec({ requirements: { ...spec.requirements, deviceKind: 'unspecified' } }),
    ],
    ['spec.requirements.cpuMillis: ', submitSpec({ requirements: { ...spec.requirements, cpuMillis: -1 } })],
    ['spec.requirements.memoryMib: ', submitSpec({ requirements: { ...spec.requirements, memoryMib: NaN } })],
    [
      'spec.requirements.deviceMemoryMib: ',
      submitSpec({ requirements: { ...spec.requirements, deviceMemoryMib: -1 } }),
    ],
    [
      'spec.requirements.maxPricePerSecondAtto: ',
      submitSpec({ requirements: { ...spec.requirements, maxPricePerSecondAtto: -1n } }),
    ],
    [
      'spec.requirements.maxPricePerGibTransferredAtto: ',
      submitSpec({ requirements: { ...spec.requirements, maxPricePerGibTransferredAtto: 0n } }),
    ],
    [
      'spec.inputSizes: ',
      submitSpec({ requirements: { ...spec.requirements, maxPricePerGibTransferredAtto: 1n } }),
    ],
    ['spec.inputSizes.taskBytes: ', submitSpec({ inputSizes: { taskBytes: [1] } })],
    ['spec.inputSizes.taskBytes[1]: ', submitSpec({ inputSizes: { taskBytes: [1, -1] } })],
    ['spec.inputSizes.taskBytes[0]: ', submitSpec({ inputSizes: { taskBytes: [NaN, 1] } })],
    ['spec.inputSizes.taskBytes[0]: ', submitSpec({ inputSizes: { taskBytes: [2 ** 64, 1] } })],
    ['spec.tasks[0].taskId: ', submitSpec({ tasks: [{ ...task, taskId: 'a b' }] })],
    ['spec.tasks[0].inputs: name', submitSpec({ tasks: [{ ...task, inputs: [{ name: '../x', cid }] }] })],
    ['spec.tasks[0].inputs: cid', submitSpec({ tasks: [{ ...task, inputs: [{ name: 'x', cid: '' }] }] })],
    ['spec.tasks[0].args: ', submitSpec({ tasks: [{ ...task, args: ['x'.repeat(1025)] }] })],
  ])('what is wrong is named: %s', (field, command) => {
    const decision = job.decide(command, job.initialState);
    expect(decision).toMatchObject({ accepted: false, rejection: 'JobIsInvalid' });
    expect(decision).toHaveProperty(
      'detail',
      expect.stringMatching(`^${field.replaceAll(/[[\].]/g, '\\$&')}`),
    );
  });
});

describe('queueing', () => {
  test('a job with its money reserved is queued', () => given(jobSubmitted).when(queue).then(jobQueued));
  test('a queued job is not queued twice', () => given(jobSubmitted, jobQueued).when(queue).thenNothing());
  test('a job that was never submitted is not queued', () => given().when(queue).thenRejected('JobNotFound'));
  test('an ended job is not queued', () =>
    given(jobSubmitted, cancelled(0)).when(queue).thenRejected('JobHasEnded'));
});

describe('completing tasks', () => {
  const running = [jobSubmitted, jobQueued];
  test('a verified task is recorded', () =>
    given(...running)
      .when(complete('task_a'))
      .then(succeeded('task_a')));
  test('the last task ends the job in the same decision', () =>
    given(...running, succeeded('task_a'))
      .when(complete('task_b'))
      .then(succeeded('task_b'), jobSucceeded));
  test('a completed task is not completed twice', () =>
    given(...running, succeeded('task_a'))
      .when(complete('task_a'))
      .thenNothing());
  test('nor after the job has succeeded', () =>
    given(...done)
      .when(complete('task_a'))
      .thenNothing());
  test('a task of another job is refused', () =>
    given(...running)
      .when(complete('task_c'))
      .thenRejected('TaskNotFound'));
  test('nothing is completed before the money is reserved', () =>
    given(jobSubmitted).when(complete('task_a')).thenRejected('JobIsNotQueued'));
  test('nothing is completed after a cancellation', () =>
    given(...running, cancelled(0))
      .when(complete('task_a'))
      .thenRejected('JobHasEnded'));
});

describe('failing', () => {
  test('a job fails with its reason and what had succeeded', () =>
    given(jobSubmitted, jobQueued, succeeded('task_a')).when(fail).then(failed(1)));
  test('a job fails before it is queued', () => given(jobSubmitted).when(fail).then(failed(0)));
  test('the first reason stands', () => given(jobSubmitted, failed(0)).when(fail).thenNothing());
  test('a job that succeeded does not fail', () =>
    given(...done)
      .when(fail)
      .thenRejected('JobHasEnded'));
  test('an unknown job does not fail', () => given().when(fail).thenRejected('JobNotFound'));
});

describe('cancelling', () => {
  test('its tenant cancels a job', () => given(jobSubmitted, jobQueued).when(cancel()).then(cancelled(0)));
  test('a cancelled job stays as it is', () =>
    given(jobSubmitted, cancelled(0)).when(cancel()).thenNothing());
  test('another tenant does not even learn that it exists', () =>
    given(jobSubmitted).when(cancel('tenant_2')).thenRejected('JobNotFound'));
  test('an ended job is not cancelled', () =>
    given(...done)
      .when(cancel())
      .thenRejected('JobHasEnded'));
});

const anyCommand: fc.Arbitrary<JobCommand> = fc.constantFrom(
  submit(),
  submit({ maxCostAtto: 99n }),
  queue,
  complete('task_a'),
  complete('task_b'),
  complete('task_c'),
  fail,
  cancel(),
  cancel('tenant_2'),
  note(1),
  note(2),
  endOf(1),
);

test('whatever is asked in whatever order, a job ends at most once and nothing follows its end', () => {
  const ends = new Set(['JobSucceeded', 'JobFailed', 'JobCancelled']);
  fc.assert(
    fc.property(fc.array(anyCommand, { maxLength: 30 }), commands => {
      const history: JobEvent[] = [];
      for (const command of commands) {
        const decision = job.decide(command, history.reduce(job.evolve, job.initialState));
        if (decision.accepted) history.push(...decision.events);
      }
      const firstEnd = history.findIndex(event => ends.has(event.type));
      if (firstEnd !== -1) expect(firstEnd).toBe(history.length - 1);
      const tasks = history.filter(event => event.type === 'TaskSucceeded').map(event => event.data.taskId);
      expect(new Set(tasks).size).toBe(tasks.length);
      expect(history.some(event => event.type === 'JobSucceeded')).toBe(tasks.length === 2);
    }),
  );
});

test('a state comes back from its snapshot as it was, and its shape is that of version 6', () => {
  const ends = [complete('task_a'), complete('task_b'), fail, cancel()];
  const commands = fc.constantFrom(submit(), queue, note(1), endOf(1), ...ends);
  const states: Job[] = [];
  fc.assert(
    fc.property(fc.array(commands, { maxLength: 8 }), rest => {
      let state = job.initialState;
      for (const command of [
        submit(rest.length % 2 === 0 ? { apiKeyId: 'key_1' } : stepwise),
        queue,
        ...rest,
      ]) {
        const decision = job.decide(command, state);
        if (decision.accepted) state = decision.events.reduce(job.evolve, state);
        comesBack(job.snapshot!, state);
        states.push(state);
      }
    }),
    { seed: 7 },
  );
  expect(`${job.snapshot!.version} ${shapeDigestOf(states)}`).toBe('6 9b69397686787912');
});
