import { z } from 'zod';
import { pageQuery } from '../http/page.js';

export const logEntry = z
  .object({
    leaseId: z
      .string()
      .meta({ description: 'Which run of the task: each replica and each attempt has its own' }),
    at: z.iso.datetime().meta({ description: 'When the platform had it' }),
    lines: z.array(z.object({ source: z.enum(['stdout', 'stderr']), text: z.string() })),
    linesLeftOut: z
      .int()
      .meta({ description: 'Since the entry before: written too fast, or beyond what a task may write' }),
  })
  .meta({ id: 'LogEntry' });
export type LogEntry = z.infer<typeof logEntry>;

export const logPage = z
  .object({
    items: z.array(logEntry),
    nextCursor: z.string().optional().meta({
      description: 'For what comes after these, which may not be written yet. Absent: nothing was found',
    }),
  })
  .meta({ id: 'LogPage' });
export type LogPage = z.infer<typeof logPage>;

export const logsQuery = pageQuery.extend({
  limit: z.coerce.number().int().min(1).max(100).default(100).meta({ example: 100 }),
});
export const taskPath = {
  id: z.string().meta({ description: 'Id of a job', example: 'job_01h455vb4pex5vsknk084sn02q' }),
  taskId: z
    .string()
    .meta({ description: 'Id of one of its tasks', example: 'task_01h455vb4pex5vsknk084sn02q' }),
};
