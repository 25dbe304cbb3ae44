import { z } from 'zod';
import { contentId } from '../content/cid.schema.js';

const MIB = 1_048_576;

export const checkpoints = z
  .strictObject({
    everyMs: z
      .int()
      .min(1_000)
      .max(3_600_000)
      .meta({ description: 'How often the state of each task is kept at most', example: 60_000 }),
    sizeLimitBytes: z
      .int()
      .min(1)
      .max(64 * MIB)
      .default(16 * MIB)
      .meta({ description: 'Of one checkpoint' }),
  })
  .meta({
    id: 'Checkpoints',
    description:
      'A program keeps its state by renaming a file to /checkpoint/latest; what follows a lost lease finds it there',
  });

export const checkpoint = z
  .object({ cid: contentId, sizeBytes: z.int(), at: z.iso.datetime() })
  .meta({ id: 'Checkpoint' });
