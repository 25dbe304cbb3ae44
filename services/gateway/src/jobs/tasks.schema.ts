import { inputsFault } from '@astro/matching/queue/array-template';
import { z } from 'zod';
import { contentId } from '../content/cid.schema.js';
import { isWithoutRepeats } from '../http/fields.js';

export const TASKS_MAX = 1_000;
const INPUTS_MAX = 16;
/** Stands for every index in what is checked here: none is longer than `{index}` itself, so that lengths hold. */
const ANY_INDEX = '0';

const FILE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;
const FILE_NAME_RULE = 'must be 1 to 64 of A-Z a-z 0-9 . _ - and not begin with a dot';

const fileName = z.string().regex(FILE_NAME, FILE_NAME_RULE).meta({ example: 'shard.bin' });
const argument = z
  .string()
  .max(256)
  .regex(/^[^\0]*$/, 'must not hold a zero byte');

const namesDiffer = (inputs: readonly { readonly name: string }[]) =>
  isWithoutRepeats(inputs.map(({ name }) => name));
const NAMES_RULE = 'must have names that do not repeat';

const isEncrypted = z
  .boolean()
  .optional()
  .meta({ description: 'An age file, encrypted to the key of the job' });

const taskInputs = z
  .array(z.strictObject({ name: fileName, cid: contentId, isEncrypted }))
  .max(INPUTS_MAX)
  .refine(namesDiffer, NAMES_RULE)
  .meta({ description: 'Files below /input' });
const taskArgs = z.array(argument).max(32).default([]);

export const task = z.strictObject({ inputs: taskInputs, args: taskArgs }).meta({ id: 'TaskRequest' });

const withAnyIndex = (template: string) => template.replaceAll('{index}', ANY_INDEX);

const arrayInputs = z
  .array(
    z.strictObject({
      name: z
        .string()
        .max(64)
        .refine(name => FILE_NAME.test(withAnyIndex(name)), `${FILE_NAME_RULE}, with its index`)
        .meta({ example: 'shard-{index}.bin' }),
      cids: z
        .array(contentId)
        .min(1)
        .max(TASKS_MAX)
        .meta({ description: 'One content for all tasks, or one for each index' }),
      isEncrypted,
    }),
  )
  .max(INPUTS_MAX)
  .refine(namesDiffer, NAMES_RULE)
  .default([]);

export const tasksAtOnce = z
  .int()
  .min(0)
  .max(TASKS_MAX)
  .default(0)
  .meta({ description: 'Tasks that are under way at the same time; 0: all of them' });

export const arrayRequest = z
  .strictObject({
    count: z.int().min(1).max(TASKS_MAX).meta({ example: 100 }),
    maxParallel: tasksAtOnce,
    inputs: arrayInputs.meta({ description: 'Files below /input of each task' }),
    args: z
      .array(argument)
      .max(32)
      .default([])
      .meta({ example: ['--shard', '{index}'] }),
  })
  .superRefine((array, context) => {
    const fault = inputsFault(array);
    if (fault === undefined) return;
    const [, index, message] = /^inputs\[(\d+)\]\.cids: (.+)$/.exec(fault)!;
    context.addIssue({ code: 'custom', path: ['inputs', Number(index), 'cids'], message: message! });
  })
  .refine(({ count, maxParallel }) => maxParallel <= count, {
    path: ['maxParallel'],
    message: 'must be at most count',
  })
  .meta({
    id: 'ArrayRequest',
    description: 'One task for each index from 0; `{index}` in names and arguments stands for it',
  });

/** As the job shows it, without the contents: its tasks have them. */
export const arrayResource = z
  .object({
    count: z.int(),
    maxParallel: z.int(),
    inputs: z.array(z.string()).meta({ description: 'Names, with `{index}`' }),
    args: z.array(z.string()),
  })
  .meta({ id: 'JobArray' });
