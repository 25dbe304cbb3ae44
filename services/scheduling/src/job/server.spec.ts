import { describe, expect, test } from '@jest/globals';
import type {
  JobCommand,
  JobEvent,
  JobSpec,
  Program,
  RequestCount,
  Server,
} from '@astro/messages/scheduling';
import { servingRequests } from '../pool/service-examples.js';
import { specOf } from '../pool/pool-examples.js';
import { flawOfService } from './service-limits.js';
import { job, type Job } from './job.js';

const spec = servingRequests();
const flaw = (changes: Partial<Server>, runEveryMs = 0) =>
  flawOfService({
    ...spec,
    service: { ...spec.service!, runEveryMs, server: { ...spec.service!.server!, ...changes } },
  });
const flawOfProgram = (changes: Partial<Program>) =>
  flawOfService({ ...spec, program: { ...spec.program, ...changes } });

describe('a server', () => {
  const { health } = spec.service!.server!;

  test('is a program that has a port and a health check', () => expect(flawOfService(spec)).toBeUndefined());

  test.each([
    ['is no WebAssembly', flawOfProgram({ runtime: 'wasm' }), 'spec.program.runtime'],
    ['has no network', flawOfProgram({ needsNetwork: true }), 'spec.program.needsNetwork'],
    ['runs once', flaw({}, 1_000), 'spec.service.runEveryMs'],
    ['has a port of its own', flaw({ port: 80 }), 'spec.service.server.port'],
    ['speaks HTTP', flaw({ protocol: 'unspecified' }), 'spec.service.server.protocol'],
    [
      'takes a bounded number of requests',
      flaw({ requestsAtOnce: 257 }),
      'spec.service.server.requestsAtOnce',
    ],
    ['has a bounded time to answer', flaw({ answerWithinMs: 0 }), 'spec.service.server.answerWithinMs'],
    [
      'is probed at a path',
      flaw({ health: { ...health, path: 'health' } }),
      'spec.service.server.health.path',
    ],
    [
      'is probed no faster',
      flaw({ health: { ...health, intervalMs: 99 } }),
      'spec.service.server.health.intervalMs',
    ],
    [
      'is healthy at some time',
      flaw({ health: { ...health, healthyAfter: 21 } }),
      'spec.service.server.health.healthyAfter',
    ],
    [
      'has a bounded start',
      flaw({ health: { ...health, startWithinMs: 1 } }),
      'spec.service.server.health.startWithinMs',
    ],
  ])('%s', (_title, found, field) => expect(found).toMatch(new RegExp(`^${field.replaceAll('.', '\\.')}: `)));
});

describe('the requests of a server', () => {
  const count: RequestCount = { requests: 3, unanswered: 1, requestBytes: 10, answerBytes: 500 };
  const submitted = (of: JobSpec): JobEvent => ({
    type: 'JobSubmitted',
    data: { jobId: 'job_1', tenantId: 'tenant_1', poolId: 'main', spec: of, maxCostAtto: 10n ** 20n },
  });
  const cancelled: JobEvent = {
    type: 'JobCancelled',
    data: { jobId: 'job_1', tenantId: 'tenant_1', poolId: 'main', tasksSucceeded: 0 },
  };
  const given = (...events: JobEvent[]) => events.reduce<Job>(job.evolve, job.initialState);
  const counting = (seen: RequestCount): JobCommand => ({
    type: 'CountRequests',
    data: { jobId: 'job_1', seen },
  });
  const counted = (total: RequestCount): JobEvent => ({
    type: 'RequestsCounted',
    data: { jobId: 'job_1', tenantId: 'tenant_1', seen: count, total },
  });
  const twice: RequestCount = { requests: 6, unanswered: 2, requestBytes: 20, answerBytes: 1_000 };

  test('are added up', () => {
    const first = counted(count);
    expect(job.decide(counting(count), given(submitted(spec)))).toMatchObject({ events: [first] });
    const second = counted(twice);
    expect(job.decide(counting(count), given(submitted(spec), first))).toMatchObject({ events: [second] });
  });

  test('are counted a moment after its end too', () =>
    expect(job.decide(counting(count), given(submitted(spec), cancelled))).toMatchObject({
      events: [counted(count)],
    }));

  test('are nothing to record where there were none', () =>
    expect(
      job.decide(counting({ ...count, requests: 0, unanswered: 0 }), given(submitted(spec))),
    ).toMatchObject({
      events: [],
    }));

  test('are those of a server only, and whole numbers', () => {
    const other = given(submitted(specOf(['task_1'], {}, 1)));
    expect(job.decide(counting(count), other)).toMatchObject({ rejection: 'JobIsNoServer' });
    expect(job.decide(counting(count), job.initialState)).toMatchObject({ rejection: 'JobNotFound' });
    expect(job.decide(counting({ ...count, answerBytes: -1 }), given(submitted(spec)))).toMatchObject({
      rejection: 'JobIsInvalid',
      detail: 'seen.answerBytes: must be a whole number from 0 to below 2^53',
    });
    expect(job.decide(counting({ ...count, unanswered: 4 }), given(submitted(spec)))).toMatchObject({
      detail: 'seen.unanswered: must be at most seen.requests',
    });
  });
});
