import { RAW_FILE_BYTES_MAX } from '@astro/content/block';
import { writeFile } from '@astro/content/write-file';
import { cidOf } from '@astro/messages/content-id';
import { resultDigest } from '@astro/messages/result-digest';
import type { Output, Result } from '@astro/messages/scheduling';
import type { ProgramResult } from '../sandbox/program-run.js';

/** What a node would report of a run, without storing what it made: for whoever only looks whether it is so. */
export async function resultOfRun({
  fault,
  outputs,
}: ProgramResult): Promise<Pick<Result, 'fault' | 'digest' | 'outputs'>> {
  const named: Output[] = [];
  for (const { name, bytes } of outputs)
    named.push({ name, cid: await contentIdOf(bytes), sizeBytes: bytes.length });
  return { fault, digest: resultDigest(fault, named), outputs: named };
}

/** As it is stored: a large file is in parts. */
const contentIdOf = (bytes: Uint8Array): string | Promise<string> =>
  bytes.length > RAW_FILE_BYTES_MAX ? writeFile(bytes, () => Promise.resolve()) : cidOf(bytes);
