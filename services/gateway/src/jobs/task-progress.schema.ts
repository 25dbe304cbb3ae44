import { z } from 'zod';

export const taskProgress = z
  .object({
    fraction: z.number().min(0).max(1).meta({ example: 0.42 }),
    message: z.string().optional().meta({ example: 'epoch 5 of 12' }),
    at: z.iso.datetime().meta({ description: 'When the platform had it' }),
    leaseId: z
      .string()
      .meta({ description: 'Which run of the task says so: of several, the last that spoke' }),
  })
  .meta({
    id: 'TaskProgress',
    description: 'How far the program says that it is, by lines `::progress 0.42 in any words`',
  });
