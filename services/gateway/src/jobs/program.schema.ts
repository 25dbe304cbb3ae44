import { runtimeKinds } from '@astro/messages/runtimes';
import type { Program } from '@astro/messages/scheduling';
import { z } from 'zod';
import { contentId } from '../content/cid.schema.js';

const FUEL_MAX = 1_000_000_000_000_000;
const WASM_MEMORY_MIB_MAX = 4_096;

const fields = z.strictObject({
  cid: contentId
    .optional()
    .meta({ description: 'Content id of a WebAssembly module (WASI preview 1) or of an executable file' }),
  timeLimitMs: z.int().min(100).max(3_600_000).meta({ example: 60_000 }),
  memoryLimitMib: z.int().min(1).max(1_048_576).meta({ example: 64 }),
  outputLimitBytes: z.int().min(1).max(67_108_864).meta({ example: 1_048_576 }),
  runtime: z.enum(runtimeKinds).optional().meta({ description: 'wasm when it is left out' }),
  image: z
    .string()
    .max(255)
    .regex(
      /^[a-z0-9][a-z0-9._/:-]*@sha256:[0-9a-f]{64}$/,
      'must be a reference with its digest, name@sha256:…',
    )
    .optional()
    .meta({ description: 'In place of cid, for a container' }),
  fuelLimit: z.int().min(1).max(FUEL_MAX).optional().meta({
    description: 'Instructions that a WebAssembly module may execute: unlike time the same on every node',
  }),
  isEncrypted: z
    .boolean()
    .optional()
    .meta({ description: 'The file is an age file, encrypted to the key of the job' }),
  needsNetwork: z
    .boolean()
    .optional()
    .meta({ description: 'Only nodes whose operators allow it are given the program; never WebAssembly' }),
});

const isContainer = ({ runtime }: z.output<typeof fields>) => runtime === 'container';
const isWasm = ({ runtime = 'wasm' }: z.output<typeof fields>) => runtime === 'wasm';

export const program = fields
  .refine(program => isContainer(program) === (program.cid === undefined), {
    path: ['cid'],
    message: 'must be given, and left out for a container',
  })
  .refine(program => isContainer(program) === (program.image !== undefined), {
    path: ['image'],
    message: 'must be given for a container, and left out for others',
  })
  .refine(program => !isContainer(program) || program.isEncrypted !== true, {
    path: ['isEncrypted'],
    message: 'must be false for a container, whose image is not content',
  })
  .refine(program => isWasm(program) || program.fuelLimit === undefined, {
    path: ['fuelLimit'],
    message: 'must be left out: only WebAssembly is metered',
  })
  .refine(program => !isWasm(program) || program.needsNetwork !== true, {
    path: ['needsNetwork'],
    message: 'must be false: WebAssembly has no network',
  })
  .refine(program => !isWasm(program) || program.memoryLimitMib <= WASM_MEMORY_MIB_MAX, {
    path: ['memoryLimitMib'],
    message: `must be at most ${WASM_MEMORY_MIB_MAX} for WebAssembly`,
  })
  .meta({ id: 'Program' });

type ProgramResource = z.output<typeof program>;

/** A container has no content of ours: it is named by its image alone. */
export const toProgram = ({ cid = '', ...rest }: ProgramResource): Program => ({ cid, ...rest });

export function toProgramResource({ cid, runtime, ...rest }: Program): ProgramResource {
  if (runtime === 'unspecified') throw new Error('a program without a runtime was taken');
  return { ...(cid !== '' && { cid }), ...rest, ...(runtime && { runtime }) };
}
