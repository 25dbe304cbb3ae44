import { describe, expect, test } from '@jest/globals';
import { newId } from '@astro/event-sourcing/ids';
import { cidOfSha256 } from '@astro/messages/content-id';
import { plainRequirements } from '@astro/messages/unconstrained';
import { Problem } from '../http/problem.js';
import { RequestValidation } from '../http/validation.js';
import { jobRequest, jobsQuery } from './jobs.schema.js';

const cid = cidOfSha256(new Uint8Array(32));
const program = { cid, timeLimitMs: 1_000, memoryLimitMib: 16, outputLimitBytes: 1_024 };
const requirements = { deviceKind: 'cpu', cpuMillis: 500, memoryMib: 64, maxPricePerSecondAtto: '1000' };
const task = { inputs: [{ name: 'a.bin', cid }], args: ['--fast'] };
const request = { name: 'digits', program, requirements, quorum: 2, tasks: [task] };

const validation = new RequestValidation({ body: jobRequest, query: jobsQuery });
const inBody = { type: 'body' } as const;

function refusalOf(value: unknown, type: 'body' | 'query' = 'body'): Problem {
  try {
    validation.transform(value, { type });
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('a job request', () => {
  test('is taken, and gets defaults for what was left out', () => {
    const { quorum: _quorum, ...withoutQuorum } = request;
    expect(validation.transform({ ...withoutQuorum, tasks: [{ inputs: [] }] }, inBody)).toEqual({
      ...request,
      requirements: { ...plainRequirements, ...requirements },
      leaseClass: 'on_demand',
      priority: 0,
      expectedDurationMs: 0,
      maxParallel: 0,
      tasks: [{ inputs: [], args: [] }],
    });
  });

  test('is taken at the bounds', () => {
    const inputs = Array.from({ length: 16 }, (_, index) => ({ name: `${index}.bin`, cid }));
    const args = Array<string>(32).fill('x'.repeat(256));
    const largest = {
      ...request,
      quorum: 5,
      program: { cid, timeLimitMs: 3_600_000, memoryLimitMib: 4_096, outputLimitBytes: 67_108_864 },
      requirements: { ...requirements, maxPricePerSecondAtto: '9'.repeat(30) },
      tasks: [{ inputs, args }, ...Array<unknown>(999).fill({ inputs: [] })],
    };
    expect(() => validation.transform(largest, inBody)).not.toThrow();
  });
});

test('how it is funded gets defaults', () =>
  expect(validation.transform({ ...request, funding: { mode: 'stepwise' } }, inBody)).toMatchObject({
    funding: { mode: 'stepwise', onShortage: 'notice_then_stop', noticeMs: 600_000 },
  }));

test('what is run again gets a default', () =>
  expect(validation.transform({ ...request, verification: { policy: 'recheck' } }, inBody)).toMatchObject({
    verification: { policy: 'recheck', samplePpm: 100_000 },
  }));

test('checkpoints get a limit to their size', () =>
  expect(validation.transform(keeping({ everyMs: 1_000 }), inBody)).toMatchObject({
    checkpoints: { everyMs: 1_000, sizeLimitBytes: 16_777_216 },
  }));

test('a reserved job may cite a reservation', () =>
  expect(validation.transform(inReservation, inBody)).toMatchObject({ leaseClass: 'reserved' }));

test('an array stands in place of tasks', () => {
  const inputs = [
    { name: 'weights', cids: [cid] },
    { name: 'shard-{index}', cids: [cid, cid] },
  ];
  const { tasks: _tasks, ...withoutTasks } = request;
  expect(validation.transform({ ...withoutTasks, array: { count: 2, inputs } }, inBody)).toMatchObject({
    array: { count: 2, maxParallel: 0, inputs, args: [] },
  });
});

const image = `registry.example/model@sha256:${'0'.repeat(64)}`;
const container = { runtime: 'container', cid: undefined, image };
const withProgram = (changes: object) => ({ ...request, program: { ...program, ...changes } });
const needing = (changes: object) => ({ ...request, requirements: { ...requirements, ...changes } });
const withTask = (changes: object) => ({ ...request, tasks: [task, { ...task, ...changes }] });

const serving = (changes: object) => ({
  ...request,
  quorum: 1,
  service: { replicasMin: 1, replicasMax: 4, runEveryMs: 1_000, budgetAtto: '1000', ...changes },
});
const server = { runEveryMs: undefined, port: 8_080, health: { path: '/health' } };
const asServer = (changes: object, programChanges: object = { runtime: 'process' }) => ({
  ...serving({ ...server, ...changes }),
  program: { ...program, ...programChanges },
});
const funded = (funding: unknown, changes: object = {}) => ({ ...request, funding, ...changes });
const keeping = (checkpoints: unknown, changes: object = {}) => ({ ...request, checkpoints, ...changes });
const inReservation = { ...request, leaseClass: 'reserved', reservationId: newId('booking') };
const arrayOf = (array: object) => ({ ...request, tasks: undefined, array });

const faults: readonly [title: string, body: unknown, field: string][] = [
  ['no body', undefined, ''],
  ['a list', [], ''],
  ['an unknown field', { ...request, urgency: 9 }, 'urgency'],
  ['a priority beyond the highest', { ...request, priority: 10 }, 'priority'],
  ['a deadline that is no time', { ...request, deadline: 'tomorrow' }, 'deadline'],
  ['a gang whose results are to be compared', { ...request, gang: {} }, 'quorum'],
  ['a gang in parts', { ...request, quorum: 1, gang: {}, maxParallel: 3 }, 'maxParallel'],
  ['an unknown class of lease', { ...request, leaseClass: 'spot' }, 'leaseClass'],
  ['an interruptible gang', { ...request, quorum: 1, gang: {}, leaseClass: 'interruptible' }, 'leaseClass'],
  ['an unknown topology', { ...request, quorum: 1, gang: { topology: 'planet' } }, 'gang.topology'],
  ['a name that is a number', { ...request, name: 5 }, 'name'],
  ['an empty name', { ...request, name: '' }, 'name'],
  ['a line break in the name', { ...request, name: 'a\nb' }, 'name'],
  ['a long name', { ...request, name: 'x'.repeat(121) }, 'name'],
  ['an unknown policy', { ...request, verification: { policy: 'adaptive' } }, 'verification.policy'],
  ['no policy', { ...request, verification: {} }, 'verification.policy'],
  [
    'a sample of nothing',
    { ...request, verification: { policy: 'recheck', samplePpm: 0 } },
    'verification.samplePpm',
  ],
  [
    'a sample where all is compared',
    { ...request, verification: { policy: 'quorum', samplePpm: 1 } },
    'verification.samplePpm',
  ],
  [
    'a sample nobody could agree with',
    { ...request, quorum: 1, verification: { policy: 'recheck' } },
    'quorum',
  ],
  ['no quorum at all', { ...request, quorum: 0 }, 'quorum'],
  ['half a quorum', { ...request, quorum: 1.5 }, 'quorum'],
  ['a quorum of six', { ...request, quorum: 6 }, 'quorum'],
  ['a reservation that is none', { ...inReservation, reservationId: 'job_1' }, 'reservationId'],
  ['a reservation of another class', { ...inReservation, leaseClass: 'on_demand' }, 'leaseClass'],
  [
    'a service in a reservation',
    { ...serving({}), leaseClass: 'reserved', reservationId: newId('booking') },
    'reservationId',
  ],
  ['no tasks', { ...request, tasks: [] }, 'tasks'],
  ['neither tasks nor an array', { ...request, tasks: undefined }, 'tasks'],
  ['tasks and an array', { ...request, array: { count: 2 } }, 'tasks'],
  ['a service without a budget', serving({ budgetAtto: undefined }), 'service.budgetAtto'],
  ['a service of no replicas', serving({ replicasMin: 0 }), 'service.replicasMin'],
  ['a most that is less than the least', serving({ replicasMin: 5 }), 'service.replicasMax'],
  ['a service of two tasks', { ...serving({}), tasks: [task, task] }, 'tasks'],
  ['a service whose results are to be compared', { ...serving({}), quorum: 2 }, 'quorum'],
  ['a service that neither runs again nor listens', serving({ runEveryMs: undefined }), 'service.runEveryMs'],
  ['a server that runs again and again', asServer({ runEveryMs: 1_000 }), 'service.runEveryMs'],
  ['a server without a health check', asServer({ health: undefined }), 'service.port'],
  ['a health check of what is no server', serving({ health: { path: '/' } }), 'service.port'],
  ['a server at a port of the system', asServer({ port: 80 }), 'service.port'],
  ['a health check with a query', asServer({ health: { path: '/?a=1' } }), 'service.health.path'],
  ['a server that is WebAssembly', asServer({}, {}), 'program.runtime'],
  [
    'a server that needs a network',
    asServer({}, { runtime: 'process', needsNetwork: true }),
    'program.needsNetwork',
  ],
  ['an unknown way to be funded', funded({ mode: 'credit' }), 'funding.mode'],
  ['a funding that is a word', funded('stepwise'), 'funding'],
  ['an unknown end of its money', funded({ mode: 'stepwise', onShortage: 'borrow' }), 'funding.onShortage'],
  ['a pause of what is reserved whole', funded({ onShortage: 'pause' }), 'funding.onShortage'],
  ['a notice below nothing', funded({ mode: 'stepwise', noticeMs: -1 }), 'funding.noticeMs'],
  ['half a millisecond of notice', funded({ mode: 'stepwise', noticeMs: 0.5 }), 'funding.noticeMs'],
  ['more than a week of notice', funded({ mode: 'stepwise', noticeMs: 604_800_001 }), 'funding.noticeMs'],
  ['an unknown field of its funding', funded({ mode: 'stepwise', extensions: 3 }), 'funding.extensions'],
  ['a gang that is funded in parts', funded({ mode: 'stepwise' }, { quorum: 1, gang: {} }), 'funding.mode'],
  ['a service that is funded in parts', { ...serving({}), funding: { mode: 'stepwise' } }, 'funding.mode'],
  ['checkpoints without an interval', keeping({}), 'checkpoints.everyMs'],
  ['a checkpoint in each 999 ms', keeping({ everyMs: 999 }), 'checkpoints.everyMs'],
  ['a checkpoint of nothing', keeping({ everyMs: 1_000, sizeLimitBytes: 0 }), 'checkpoints.sizeLimitBytes'],
  ['a folder for checkpoints', keeping({ everyMs: 1_000, folder: '/x' }), 'checkpoints.folder'],
  ['a service with checkpoints', { ...serving({}), checkpoints: { everyMs: 1_000 } }, 'checkpoints'],
  ['an array of nothing', arrayOf({ count: 0 }), 'array.count'],
  ['an array of 1,001', arrayOf({ count: 1_001 }), 'array.count'],
  ['more at once than there are', arrayOf({ count: 2, maxParallel: 3 }), 'array.maxParallel'],
  ['the limit of an array beside it', { ...arrayOf({ count: 2 }), maxParallel: 1 }, 'maxParallel'],
  [
    'contents for some indices only',
    arrayOf({ count: 3, inputs: [{ name: 'a', cids: [cid, cid] }] }),
    'array.inputs[0].cids',
  ],
  [
    'a name outside of its folder',
    arrayOf({ count: 1, inputs: [{ name: '../{index}', cids: [cid] }] }),
    'array.inputs[0].name',
  ],
  ['an unknown field of the program', withProgram({ gas: 1 }), 'program.gas'],
  ['a program that is no content id', withProgram({ cid: 'QmX' }), 'program.cid'],
  ['a program without a time limit', withProgram({ timeLimitMs: undefined }), 'program.timeLimitMs'],
  ['99 ms', withProgram({ timeLimitMs: 99 }), 'program.timeLimitMs'],
  ['more than an hour', withProgram({ timeLimitMs: 3_600_001 }), 'program.timeLimitMs'],
  ['no memory', withProgram({ memoryLimitMib: 0 }), 'program.memoryLimitMib'],
  ['5 GiB', withProgram({ memoryLimitMib: 5_120 }), 'program.memoryLimitMib'],
  ['an unknown runtime', withProgram({ runtime: 'cobol' }), 'program.runtime'],
  ['a module without content', withProgram({ cid: undefined }), 'program.cid'],
  ['a module with an image', withProgram({ image }), 'program.image'],
  ['a container with content', withProgram({ runtime: 'container', image }), 'program.cid'],
  ['a container without an image', withProgram({ ...container, image: undefined }), 'program.image'],
  ['an image by its tag', withProgram({ ...container, image: 'model:latest' }), 'program.image'],
  ['fuel for a process', withProgram({ runtime: 'process', fuelLimit: 1 }), 'program.fuelLimit'],
  ['a network for a module', withProgram({ needsNetwork: true }), 'program.needsNetwork'],
  ['no output', withProgram({ outputLimitBytes: 0 }), 'program.outputLimitBytes'],
  ['too much output', withProgram({ outputLimitBytes: 67_108_865 }), 'program.outputLimitBytes'],
  ['an unknown device', needing({ deviceKind: 'abacus' }), 'requirements.deviceKind'],
  ['an unknown attestation', needing({ attestations: ['oath'] }), 'requirements.attestations[0]'],
  ['99 millicores', needing({ cpuMillis: 99 }), 'requirements.cpuMillis'],
  ['no host memory', needing({ memoryMib: 0 }), 'requirements.memoryMib'],
  ['a region in capitals', needing({ regions: ['DE-FRA'] }), 'requirements.regions[0]'],
  ['a region twice', needing({ regions: ['de-fra', 'de-fra'] }), 'requirements.regions'],
  ['a price that is a number', needing({ maxPricePerSecondAtto: 5 }), 'requirements.maxPricePerSecondAtto'],
  ['a price of nothing', needing({ maxPricePerSecondAtto: '0' }), 'requirements.maxPricePerSecondAtto'],
  ['a price below nothing', needing({ maxPricePerSecondAtto: '-1' }), 'requirements.maxPricePerSecondAtto'],
  ['a fraction of a unit', needing({ maxPricePerSecondAtto: '1.5' }), 'requirements.maxPricePerSecondAtto'],
  [
    'a price of 10^30',
    needing({ maxPricePerSecondAtto: `1${'0'.repeat(30)}` }),
    'requirements.maxPricePerSecondAtto',
  ],
  ['a task without inputs', withTask({ inputs: undefined }), 'tasks[1].inputs'],
  [
    '17 inputs',
    withTask({ inputs: Array.from({ length: 17 }, (_, i) => ({ name: `${i}`, cid })) }),
    'tasks[1].inputs',
  ],
  ['two inputs of one name', withTask({ inputs: [task.inputs[0], task.inputs[0]] }), 'tasks[1].inputs'],
  [
    'an input outside of its folder',
    withTask({ inputs: [{ name: '../a', cid }] }),
    'tasks[1].inputs[0].name',
  ],
  ['a hidden input', withTask({ inputs: [{ name: '.a', cid }] }), 'tasks[1].inputs[0].name'],
  ['an input without content', withTask({ inputs: [{ name: 'a' }] }), 'tasks[1].inputs[0].cid'],
  ['33 arguments', withTask({ args: Array(33).fill('x') }), 'tasks[1].args'],
  ['a long argument', withTask({ args: ['x'.repeat(257)] }), 'tasks[1].args[0]'],
  ['a zero byte in an argument', withTask({ args: ['a\0b'] }), 'tasks[1].args[0]'],
];
test.each(faults)('a job request with %s is refused, and the field is named', (_title, body, field) => {
  const problem = refusalOf(body);
  expect(problem).toMatchObject({ code: 'request_invalid', status: 400 });
  expect(problem.errors?.map(error => error.field)).toContain(field);
});

describe('a job whose data is encrypted', () => {
  const nodes = [newId('node'), newId('node')];
  // A recipient of the test vectors of age, with its checksum.
  const recipient = 'age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj';
  const encryption = { scheme: 'age', wrappedKey: 'YWdlCg==', outputRecipients: [recipient] };
  const sealed = {
    ...request,
    requirements: { ...requirements, nodes },
    tasks: [{ inputs: [{ name: 'a.bin', cid, isEncrypted: true }] }],
    encryption,
  };
  const withRecipients = (...outputRecipients: readonly string[]) => ({
    ...sealed,
    encryption: { ...encryption, outputRecipients },
  });
  const { encryption: _encryption, ...unsealed } = sealed;

  test('is taken', () => expect(() => validation.transform(sealed, inBody)).not.toThrow());
  test.each<readonly [string, unknown, string]>([
    [
      'a recipient with a wrong checksum',
      withRecipients(`${recipient.slice(0, -1)}q`),
      'encryption.outputRecipients[0]',
    ],
    ['what is no recipient', withRecipients(recipient, 'nobody'), 'encryption.outputRecipients[1]'],
    ['a recipient twice', withRecipients(recipient, recipient), 'encryption.outputRecipients'],
    ['nobody who may read the outputs', withRecipients(), 'encryption.outputRecipients'],
    [
      'a key that is no base64',
      { ...sealed, encryption: { ...encryption, wrappedKey: '~' } },
      'encryption.wrappedKey',
    ],
    ['another scheme', { ...sealed, encryption: { ...encryption, scheme: 'pgp' } }, 'encryption.scheme'],
    ['no nodes', { ...sealed, requirements }, 'requirements.nodes'],
    ['fewer nodes than must agree', { ...sealed, quorum: 3 }, 'requirements.nodes'],
    ['checkpoints', { ...sealed, checkpoints: { everyMs: 1_000 } }, 'checkpoints'],
    ['an encrypted input and no encryption', unsealed, 'tasks[0].inputs[0].isEncrypted'],
    [
      'a node that is none',
      { ...sealed, requirements: { ...requirements, nodes: ['node_x', 'node_y'] } },
      'requirements.nodes[0]',
    ],
  ])('is refused with %s, and the field is named', (_title, body, field) =>
    expect(refusalOf(body).errors?.map(error => error.field)).toContain(field),
  );
});

test('a query names its field too', () => {
  for (const [query, field] of [
    [{ limit: '0' }, 'limit'],
    [{ limit: '101' }, 'limit'],
    [{ limit: 'ten' }, 'limit'],
    [{ status: 'lost' }, 'status'],
    [{ page: '2' }, 'page'],
  ] as const)
    expect(refusalOf(query, 'query').errors?.[0]?.field).toBe(field);
});

test('a refusal of very much names only some of it', () => {
  const tasks = Array<unknown>(1_000).fill({ inputs: 'none' });
  const problem = refusalOf({ ...request, tasks });
  expect(problem.errors).toHaveLength(20);
  expect(JSON.stringify(problem.document('request_1')).length).toBeLessThan(5_000);
});
