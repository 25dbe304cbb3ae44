import { encryptTo } from '@astro/content/age';
import { JobKey } from '@astro/content/job-key';
import { BlockMissing } from '@astro/content/sources';
import { crashPoint } from '@astro/jetstream/crash-point';
import type { Assignment } from '@astro/messages/agent';
import type { Input, Output } from '@astro/messages/scheduling';
import { type Content, ContentMismatch, type Moved } from '../content/content.js';
import { GatewayRefusal } from '../gateway/gateway-client.js';
import type { Follower, TaskFiles, TaskRunner } from '../runtime/task-runtime.js';
import type { NamedBytes, ProgramResult } from '../sandbox/program-run.js';
import type { EndReport } from './lease-journal.js';
import { resultDigest } from '@astro/messages/result-digest';

const REASON_CHARACTERS_MAX = 500;

export type Execution = {
  readonly content: Content;
  readonly runtime: TaskRunner;
  readonly follower?: Follower;
  /** The age identities that the keys of encrypted jobs are for, the current one first. */
  identities(): readonly string[];
  /** Resolves when the platform is sure to hear that the task runs. */
  started(): Promise<void>;
};

/** The program has ended as it was told to. Another node goes on from what it has kept. */
export class StoppedByNotice extends Error {
  override readonly name = 'StoppedByNotice';

  constructor() {
    super('the program was told to end, and did');
  }
}

/**
 * Fetches, runs and stores: all that a lease asks of a node. What goes wrong at the node ends the lease as failed, so
 * that the task is tried elsewhere; what goes wrong in the program is a result.
 * @throws the signal's reason when it aborts, StoppedByNotice, and what `started` throws: the lease has not ended then
 */
export async function executeLease(
  assignment: Assignment,
  { content, runtime, started, follower, identities }: Execution,
  signal: AbortSignal,
): Promise<EndReport> {
  const { poolId, leaseId, fencingToken, taskId } = assignment;
  const lease = { poolId, leaseId, fencingToken };
  const failed = (what: string, error: unknown): EndReport => {
    signal.throwIfAborted();
    return failedReport(assignment, what, error);
  };

  const moved = { fetchedBytes: 0, uploadedBytes: 0 };
  let key: JobKey | undefined;
  let files: TaskFiles;
  try {
    key = await keyOf(assignment, identities());
    files = await fetchFiles(assignment, content, signal, moved, key);
  } catch (error) {
    return failed('the inputs are not available', error);
  }
  crashPoint('before-start');
  await started();
  let result: ProgramResult;
  try {
    result = await runtime.run(assignment, files, signal, follower);
  } catch (error) {
    return failed('the program could not be run', error);
  }
  crashPoint('after-run');
  // It was told to end before its time: only what it finished all the same is a result.
  if (follower?.notice.aborted && result.fault !== 'none') throw new StoppedByNotice();
  try {
    const { fault } = result;
    const outputs = await storeOutputs(await carried(result, assignment), content, signal, moved);
    crashPoint('after-upload');
    const digest = key?.resultDigest(taskId, fault, result.outputs) ?? resultDigest(fault, outputs);
    const data = { ...lease, fault, digest, outputs, transferred: moved };
    return { type: 'TaskCompleted', data: key ? { ...data, isEncrypted: true } : data };
  } catch (error) {
    return failed('the outputs could not be stored', error);
  }
}

export async function fetchFiles(
  assignment: Assignment,
  content: Content,
  signal: AbortSignal,
  moved: Moved,
  key?: JobKey,
): Promise<TaskFiles> {
  const fetch = async ({ cid, isEncrypted = false }: Pick<Input, 'cid' | 'isEncrypted'>) => {
    const bytes = await content.fetch(cid, signal, moved);
    if (!isEncrypted) return bytes;
    if (!key) throw new Error('what is encrypted came without a key');
    return key.decrypt(bytes);
  };
  // An image is fetched by the engine that runs it.
  const program = assignment.program.cid === '' ? new Uint8Array() : await fetch(assignment.program);
  const inputs: { name: string; bytes: Uint8Array }[] = [];
  for (const input of assignment.inputs) inputs.push({ name: input.name, bytes: await fetch(input) });
  const checkpoint = await fetchCheckpoint(assignment, content, signal);
  return { program, inputs, ...(checkpoint && { checkpoint }) };
}

/** With which this node reads what the lease is about; undefined where it is in clear. */
const keyOf = async (
  { encryption }: Assignment,
  identities: readonly string[],
): Promise<JobKey | undefined> => encryption && JobKey.unwrap(encryption, identities);

/** Outputs as the platform carries them. */
async function carried(
  { outputs }: ProgramResult,
  { encryption }: Assignment,
): Promise<Pick<ProgramResult, 'outputs'>> {
  if (!encryption) return { outputs };
  const { outputRecipients } = encryption;
  const encrypted: NamedBytes[] = [];
  for (const { name, bytes } of outputs)
    encrypted.push({ name, bytes: await encryptTo(outputRecipients, bytes) });
  return { outputs: encrypted };
}

/** A node that is gone said that it had stored it. Where that was not so, the program begins. */
async function fetchCheckpoint(
  { checkpoint, checkpoints }: Assignment,
  content: Content,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (!checkpoint || !checkpoints) return undefined;
  try {
    const bytes = await content.fetch(checkpoint.cid, signal);
    return bytes.length <= checkpoints.sizeLimitBytes ? bytes : undefined;
  } catch (error) {
    const isRefused = error instanceof GatewayRefusal && [400, 404].includes(error.status);
    if (isRefused || error instanceof BlockMissing || error instanceof ContentMismatch) return undefined;
    throw error;
  }
}

export async function storeOutputs(
  result: Pick<ProgramResult, 'outputs'>,
  content: Content,
  signal: AbortSignal,
  moved: Moved,
): Promise<Output[]> {
  const outputs: Output[] = [];
  for (const { name, bytes } of result.outputs) {
    outputs.push({ name, cid: await content.store(bytes, signal, moved), sizeBytes: bytes.length });
  }
  return outputs;
}

export const failedReport = (
  { poolId, leaseId, fencingToken }: Assignment,
  what: string,
  error: unknown,
): EndReport => ({
  type: 'TaskFailed',
  data: { poolId, leaseId, fencingToken, reason: reasonOf(what, error) },
});

function reasonOf(what: string, error: unknown): string {
  const cause = error instanceof Error ? error.message : String(error);
  return `${what}: ${cause}`.slice(0, REASON_CHARACTERS_MAX);
}
