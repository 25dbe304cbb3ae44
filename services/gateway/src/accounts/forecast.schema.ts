import { z } from 'zod';
import { atto } from '../http/fields.js';

export const forecast = z
  .object({
    at: z.iso.datetime().meta({ description: 'When it was made' }),
    fundsAtto: atto.meta({ description: 'What is available, reserved for open jobs, and incoming' }),
    perHourAtto: atto.meta({ description: 'How fast it goes: the highest of the rates, rounded up' }),
    basis: z.enum(['last_hour', 'last_day', 'running', 'none']).meta({
      description: 'Which rate that is: what was charged lately, or what the running replicas cost',
    }),
    emptyAt: z.iso.datetime().optional().meta({
      description: 'When it is gone at that rate; absent when not within ten years',
    }),
    emptyInSeconds: z.int().optional().meta({ description: 'The same, from when it was made' }),
  })
  .meta({ id: 'Forecast' });
