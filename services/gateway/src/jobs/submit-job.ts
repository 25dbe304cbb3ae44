import { maxCostAtto } from '@astro/matching/cost';
import { expandArray } from '@astro/matching/queue/array-template';
import { encode, typeNameOf } from '@astro/messages/codec';
import type { JobSpec, SubmitJob } from '@astro/messages/scheduling';
import type { FastifyRequest } from 'fastify';
import type { ContentStore } from '../content/content-store.js';
import { callerOf } from '../http/caller.js';
import { JSON_BODY_LIMIT_BYTES } from '../http/http-server.js';
import { invalidField, Problem, type FieldError } from '../http/problem.js';
import { derivedFrom } from '../http/request-ids.js';
import type { JobRequest } from './jobs.schema.js';

const LOOKUPS_AT_ONCE = 32;
const ERRORS_MAX = 20;

/** The command that a valid request means. Ids are made here, at the edge. */
export function submitJobCommand(body: JobRequest, request: FastifyRequest, poolId: string): SubmitJob {
  const { maxPricePerSecondAtto, ...requirements } = body.requirements;
  const spec: JobSpec = {
    name: body.name,
    program: body.program,
    requirements: { ...requirements, maxPricePerSecondAtto: BigInt(maxPricePerSecondAtto) },
    ...tasksOf(body, request),
    quorum: body.quorum,
    leaseClass: body.leaseClass,
    ...(body.reservationId !== undefined && { bookingId: body.reservationId }),
    priority: body.priority,
    ...(body.deadline !== undefined && { deadline: new Date(body.deadline) }),
    expectedDurationMs: body.expectedDurationMs,
    ...(body.gang && { gang: body.gang }),
    ...(body.service && { service: { ...body.service, budgetAtto: BigInt(body.service.budgetAtto) } }),
    maxParallel: body.array?.maxParallel ?? body.maxParallel,
  };
  const jobId = derivedFrom(request, 'job');
  const tenantId = callerOf(request).id;
  const command: SubmitJob = { jobId, tenantId, poolId, spec, maxCostAtto: maxCostAtto(spec) };
  if (spec.array) assertFitsMessage(command);
  return command;
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

/** @throws Problem `content_not_found` naming each field whose content is not stored, up to a limit */
export async function assertContentStored(body: JobRequest, store: ContentStore): Promise<void> {
  const references = referencesIn(body);
  const cids = [...new Set(references.map(({ cid }) => cid))];
  const missing = new Set<string>();
  for (let start = 0; start < cids.length; start += LOOKUPS_AT_ONCE) {
    const looked = cids.slice(start, start + LOOKUPS_AT_ONCE);
    const found = await Promise.all(looked.map(cid => store.has(cid)));
    looked.filter((_cid, index) => !found[index]).forEach(cid => missing.add(cid));
  }
  if (missing.size === 0) return;
  const errors: FieldError[] = references
    .filter(({ cid }) => missing.has(cid))
    .slice(0, ERRORS_MAX)
    .map(({ field, cid }) => ({ field, rule: `${cid} must be uploaded first` }));
  throw new Problem('content_not_found', { detail: `${errors[0]!.field}: ${errors[0]!.rule}`, errors });
}

const referencesIn = ({ program, tasks = [], array }: JobRequest) => [
  { field: 'program.cid', cid: program.cid },
  ...tasks.flatMap(({ inputs }, task) =>
    inputs.map(({ cid }, input) => ({ field: `tasks[${task}].inputs[${input}].cid`, cid })),
  ),
  ...(array?.inputs ?? []).flatMap(({ cids }, input) =>
    cids.map((cid, index) => ({ field: `array.inputs[${input}].cids[${index}]`, cid })),
  ),
];
