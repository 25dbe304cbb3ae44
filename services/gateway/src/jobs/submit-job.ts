import { maxCostAtto } from '@astro/matching/cost';
import { expandArray } from '@astro/matching/queue/array-template';
import { encode, typeNameOf } from '@astro/messages/codec';
import type { JobSpec, SubmitJob, TaskSpec } from '@astro/messages/scheduling';
import type { FastifyRequest } from 'fastify';
import { CONTENT_LIMIT_BYTES, type ContentStore } from '../content/content-store.js';
import { callerOf } from '../http/caller.js';
import { JSON_BODY_LIMIT_BYTES } from '../http/http-server.js';
import { invalidField, Problem, type FieldError } from '../http/problem.js';
import { derivedFrom } from '../http/request-ids.js';
import { fundingOfService } from './funding.schema.js';
import type { JobRequest } from './jobs.schema.js';
import { toProgram } from './program.schema.js';
import { toRequirements } from './requirements.schema.js';
import { toService } from './service.schema.js';

const LOOKUPS_AT_ONCE = 32;
const ERRORS_MAX = 20;

/** The command that a valid request means. Ids are made here, at the edge. */
export function submitJobCommand(
  body: JobRequest,
  request: FastifyRequest,
  { poolId, sizes }: { readonly poolId: string; readonly sizes: ContentSizes },
): SubmitJob {
  const { tasks, ...array } = tasksOf(body, request);
  const spec: JobSpec = {
    name: body.name,
    program: toProgram(body.program),
    requirements: toRequirements(body.requirements),
    ...array,
    tasks,
    inputSizes: { taskBytes: tasks.map(task => bytesFor(body, task, sizes)) },
    quorum: body.quorum,
    leaseClass: body.leaseClass,
    ...(body.reservationId !== undefined && { bookingId: body.reservationId }),
    priority: body.priority,
    ...(body.deadline !== undefined && { deadline: new Date(body.deadline) }),
    expectedDurationMs: body.expectedDurationMs,
    ...(body.gang && { gang: body.gang }),
    ...(body.service && { service: toService(body.service) }),
    maxParallel: body.array?.maxParallel ?? body.maxParallel,
    ...(body.project !== undefined && { project: body.project }),
    ...fundingOf(body),
    ...(body.verification && { verification: body.verification }),
    ...(body.checkpoints && { checkpoints: body.checkpoints }),
    ...(body.encryption && { encryption: body.encryption }),
  };
  const jobId = derivedFrom(request, 'job');
  const { id: tenantId, apiKeyId } = callerOf(request);
  const key = apiKeyId === undefined ? {} : { apiKeyId };
  const command: SubmitJob = { jobId, tenantId, poolId, spec, maxCostAtto: maxCostAtto(spec), ...key };
  if (spec.array) assertFitsMessage(command);
  return command;
}

function fundingOf({ funding, service }: JobRequest): Pick<JobSpec, 'funding'> {
  const said = funding ?? (service && fundingOfService);
  return said ? { funding: said } : {};
}

/** A list of tasks is bounded by the body that it came in; an array by what is made of it. */
function assertFitsMessage(command: SubmitJob): void {
  const { length } = encode(typeNameOf('command', 'scheduling.job', 'SubmitJob'), command);
  if (length > JSON_BODY_LIMIT_BYTES)
    throw invalidField(
      'array',
      `its tasks are ${length} bytes, at most ${JSON_BODY_LIMIT_BYTES} travel as one job`,
    );
}

function tasksOf({ tasks, array }: JobRequest, request: FastifyRequest): Pick<JobSpec, 'tasks' | 'array'> {
  const taskIdOf = (index: number) => derivedFrom(request, 'task', index);
  if (tasks) return { tasks: tasks.map((task, index) => ({ ...task, taskId: taskIdOf(index) })) };
  if (!array) throw new Error('a job without tasks was taken');
  const { count, inputs, args } = array;
  const template = { count, inputs, args };
  return { array: template, tasks: expandArray(template, taskIdOf) };
}

/** What a node of the task has to fetch at most; content that is not stored yet may be as large as any. */
function bytesFor({ program }: JobRequest, { inputs }: TaskSpec, sizes: ContentSizes): number {
  const cids = new Set(inputs.map(({ cid }) => cid));
  // An image is fetched by the engine that runs it.
  if (program.cid !== undefined) cids.add(program.cid);
  let bytes = 0;
  for (const cid of cids) bytes += sizes.get(cid) ?? CONTENT_LIMIT_BYTES;
  return bytes;
}

/** Bytes of the contents that the job names, of those that are stored. */
export type ContentSizes = ReadonlyMap<string, number>;

export async function sizesOf(body: JobRequest, store: ContentStore): Promise<ContentSizes> {
  const cids = [...new Set(referencesIn(body).map(({ cid }) => cid))];
  const sizes = new Map<string, number>();
  for (let start = 0; start < cids.length; start += LOOKUPS_AT_ONCE) {
    const looked = cids.slice(start, start + LOOKUPS_AT_ONCE);
    const found = await Promise.all(looked.map(cid => store.sizeOf(cid)));
    for (const [index, cid] of looked.entries()) {
      const size = found[index];
      if (size !== undefined) sizes.set(cid, size);
    }
  }
  return sizes;
}

/** @throws Problem `content_not_found` naming each field whose content is not stored, up to a limit */
export function assertContentStored(body: JobRequest, sizes: ContentSizes): void {
  const errors: FieldError[] = referencesIn(body)
    .filter(({ cid }) => !sizes.has(cid))
    .slice(0, ERRORS_MAX)
    .map(({ field, cid }) => ({ field, rule: `${cid} must be uploaded first` }));
  if (errors.length === 0) return;
  throw new Problem('content_not_found', { detail: `${errors[0]!.field}: ${errors[0]!.rule}`, errors });
}

const referencesIn = ({ program, tasks = [], array }: JobRequest) => [
  ...(program.cid === undefined ? [] : [{ field: 'program.cid', cid: program.cid }]),
  ...tasks.flatMap(({ inputs }, task) =>
    inputs.map(({ cid }, input) => ({ field: `tasks[${task}].inputs[${input}].cid`, cid })),
  ),
  ...(array?.inputs ?? []).flatMap(({ cids }, input) =>
    cids.map((cid, index) => ({ field: `array.inputs[${input}].cids[${index}]`, cid })),
  ),
];
