import { isId } from '@astro/event-sourcing/ids';
import { z } from 'zod';
import { pageOf, pageQuery } from '../http/page.js';
import { atto, plainName, printable } from '../http/fields.js';
import { checkpoint, checkpoints } from './checkpoints.schema.js';
import { checkEncryption, encryptionRequest } from './encryption.schema.js';
import { fundingRequest, fundingResource } from './funding.schema.js';
import { program } from './program.schema.js';
import { requirements } from './requirements.schema.js';
import { serviceRequest, serviceResource } from './service.schema.js';
import { taskProgress } from './task-progress.schema.js';
import { verificationRequest } from './verification.schema.js';
import { arrayRequest, arrayResource, task, TASKS_MAX, tasksAtOnce } from './tasks.schema.js';

const emptyCid = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku';

const leaseClass = z.enum(['on_demand', 'interruptible', 'reserved']).meta({
  description:
    'on_demand pays the posted price. interruptible bids its cap for idle capacity, never pays more than ' +
    'on_demand would, and may be stopped with notice; what is not completed then is not charged. ' +
    'reserved goes first, is never stopped for others, and pays a quarter more',
});

const reservationId = z
  .string()
  .refine(text => isId('booking', text), 'must be the id of a reservation')
  .meta({
    description: 'It runs in this reservation only, and costs nothing more',
    example: 'booking_01h455vb4pex5vsknk084sn02q',
  });

export const jobRequest = z
  .strictObject({
    name: printable.min(1).max(120).meta({ example: 'digits, round 1' }),
    project: plainName.optional().meta({ description: 'What budgets can count it by', example: 'digits' }),
    program,
    requirements,
    quorum: z
      .int()
      .min(1)
      .max(5)
      .default(2)
      .meta({ description: 'Operators that must agree on each result' }),
    tasks: z.array(task).min(1).max(TASKS_MAX).optional(),
    service: serviceRequest.optional().meta({ description: 'Of one task; needs a quorum of 1' }),
    array: arrayRequest.optional().meta({ description: 'In place of tasks' }),
    leaseClass: leaseClass.default('on_demand'),
    reservationId: reservationId.optional(),
    priority: z.int().min(0).max(9).default(0).meta({ description: 'The higher goes first' }),
    deadline: z.iso
      .datetime()
      .optional()
      .meta({ description: 'A task that would end later is not begun, and then the job fails' }),
    expectedDurationMs: z
      .int()
      .min(0)
      .max(3_600_000)
      .default(0)
      .meta({ description: 'Of each task; 0: as long as the program may run' }),
    gang: z
      .strictObject({
        topology: z
          .enum(['any', 'node', 'region', 'fabric'])
          .default('any')
          .meta({ description: 'What all tasks must share' }),
      })
      .optional()
      .meta({ description: 'All tasks start together or not at all; needs a quorum of 1' }),
    maxParallel: tasksAtOnce,
    funding: fundingRequest.optional(),
    verification: verificationRequest.optional(),
    checkpoints: checkpoints.optional(),
    encryption: encryptionRequest.optional(),
  })
  .superRefine(checkEncryption)
  .refine(({ verification, quorum }) => verification?.policy !== 'recheck' || quorum > 1, {
    path: ['quorum'],
    message: 'must be at least 2 for recheck',
  })
  .refine(({ reservationId, leaseClass }) => reservationId === undefined || leaseClass === 'reserved', {
    path: ['leaseClass'],
    message: 'must be reserved for a job in a reservation',
  })
  .refine(({ reservationId, service }) => reservationId === undefined || service === undefined, {
    path: ['reservationId'],
    message: 'must be absent for a service',
  })
  .refine(({ gang, quorum }) => gang === undefined || quorum === 1, {
    path: ['quorum'],
    message: 'must be 1 for a gang',
  })
  .refine(({ gang, maxParallel }) => gang === undefined || maxParallel === 0, {
    path: ['maxParallel'],
    message: 'must be 0 for a gang',
  })
  .refine(({ gang, leaseClass }) => gang === undefined || leaseClass !== 'interruptible', {
    path: ['leaseClass'],
    message: 'must not be interruptible for a gang',
  })
  .refine(({ tasks, array }) => (tasks === undefined) !== (array === undefined), {
    path: ['tasks'],
    message: 'must be given, or array in their place',
  })
  .refine(({ array, maxParallel }) => array === undefined || maxParallel === 0, {
    path: ['maxParallel'],
    message: 'must be said in array',
  })
  .refine(({ service, tasks }) => service === undefined || tasks?.length === 1, {
    path: ['tasks'],
    message: 'must be one for a service',
  })
  .refine(({ service, quorum }) => service === undefined || quorum === 1, {
    path: ['quorum'],
    message: 'must be 1 for a service',
  })
  .refine(({ checkpoints, service }) => checkpoints === undefined || service === undefined, {
    path: ['checkpoints'],
    message: 'must be absent for a service',
  })
  .refine(({ service, program }) => service?.port === undefined || (program.runtime ?? 'wasm') !== 'wasm', {
    path: ['program.runtime'],
    message: 'must be process or container for a server',
  })
  .refine(({ service, program }) => service?.port === undefined || program.needsNetwork !== true, {
    path: ['program.needsNetwork'],
    message: 'must be false for a server',
  })
  .refine(({ gang, service, funding }) => funding?.mode !== 'stepwise' || !(gang ?? service), {
    path: ['funding.mode'],
    message: 'must be whole for a gang and for a service',
  })
  .meta({
    id: 'JobRequest',
    example: {
      name: 'digits, round 1',
      program: { cid: emptyCid, timeLimitMs: 60_000, memoryLimitMib: 64, outputLimitBytes: 1_048_576 },
      requirements: {
        deviceKind: 'cpu',
        cpuMillis: 500,
        memoryMib: 128,
        maxPricePerSecondAtto: '1000000000000000',
      },
      quorum: 2,
      tasks: [{ inputs: [{ name: 'shard.bin', cid: emptyCid }], args: ['--epochs', '1'] }],
    },
  });
export type JobRequest = z.output<typeof jobRequest>;

export const jobStatus = z.enum(['submitted', 'queued', 'running', 'succeeded', 'failed', 'cancelled']);
const output = z.object({ name: z.string(), cid: z.string(), sizeBytes: z.int() });

const summary = z.object({
  id: z.string().meta({ example: 'job_01h455vb4pex5vsknk084sn02q' }),
  name: z.string(),
  project: z.string().optional(),
  status: jobStatus,
  reason: z.string().optional().meta({ description: 'Why the job failed', example: 'insufficient_funds' }),
  detail: z.string().optional(),
  maxCostAtto: atto,
  taskCount: z.int(),
  tasksSucceeded: z.int(),
  submittedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().optional(),
});
export const jobSummary = summary.meta({ id: 'JobSummary' });

export const jobResource = summary
  .extend({
    quorum: z.int(),
    verification: verificationRequest.optional().meta({ description: 'Where the job chose one' }),
    leaseClass,
    reservationId: reservationId.optional(),
    program,
    requirements,
    chargedAtto: atto.meta({ description: 'Charged until now; only verified work is' }),
    checkpoints: checkpoints.optional(),
    encryption: encryptionRequest.optional().meta({ description: 'Where the data of the job is encrypted' }),
    funding: fundingResource.optional().meta({ description: 'Where the job says how it is funded' }),
    service: serviceResource.optional().meta({ description: 'Where the job is one' }),
    array: arrayResource.optional().meta({ description: 'Where the job was submitted as one' }),
    tasks: z.array(
      z.object({
        id: z.string(),
        status: z.enum(['waiting', 'running', 'succeeded', 'failed', 'cancelled']),
        outputs: z.array(output),
        digest: z
          .string()
          .optional()
          .meta({ description: 'Of the agreed result; with encryption keyed, over what is in clear' }),
        checkpoint: checkpoint.optional().meta({ description: 'The last that was kept of the task' }),
        progress: taskProgress.optional().meta({ description: 'While it runs, if its program says so' }),
      }),
    ),
  })
  .meta({ id: 'Job' });
export type JobResource = z.infer<typeof jobResource>;

export const jobPage = pageOf(jobSummary).meta({ id: 'JobPage' });
export const jobsQuery = pageQuery.extend({ status: jobStatus.optional(), project: plainName.optional() });
export const jobPath = {
  id: z.string().meta({ description: 'Id of a job', example: 'job_01h455vb4pex5vsknk084sn02q' }),
};

export const eventsQuery = z.strictObject({
  after: z
    .string()
    .optional()
    .meta({ description: 'Position of the last event that is known; else Last-Event-ID' }),
});
export const location = z.string().meta({ example: '/v1/jobs/job_01h455vb4pex5vsknk084sn02q' });
const pending = z.object({ id: z.string() }).meta({ id: 'PendingJob' });
export type Pending = z.infer<typeof pending>;
export const notKnownYet = {
  description: 'Taken, but what became of it is not known yet: read the job at Location',
  schema: pending,
  headers: { Location: location },
};
export const nothing = z.strictObject({}).nullish();
