import { z } from 'zod';
import { atto, printable } from '../http/fields.js';

const HOURS_MAX = 8_760;

export const quoteQuery = z.strictObject({
  gpu: printable.min(1).max(120).meta({ description: 'Model, as nodes offer it', example: 'A100' }),
  count: z.coerce.number().int().min(1).max(64).default(1).meta({ description: 'GPUs of one node' }),
  hours: z.coerce.number().int().min(1).max(HOURS_MAX).default(1),
});

const offer = z
  .object({
    isAvailable: z.boolean().meta({ description: 'Whether it would start now' }),
    pricePerSecondAtto: atto
      .optional()
      .meta({ description: 'Of all the GPUs together; absent of what has no room now' }),
    costAtto: atto.optional().meta({ description: 'For all the hours' }),
    startsInMs: z.object({ p50: z.int().min(0), p90: z.int().min(0) }).optional(),
    eligibleNodes: z.int().meta({ description: 'Nodes that could host it if they were idle' }),
  })
  .meta({ id: 'QuotedOffer' });

const decimal = z.string().regex(/^\d+(\.\d+)?$/);
const saved = z.int().optional();

const listPrice = z
  .object({
    provider: z.string(),
    instance: z.string(),
    gpus: z.int().meta({ description: 'Of the instance' }),
    region: z.string().optional(),
    usdPerHour: decimal.meta({ description: 'Of the whole instance, on demand' }),
    observedOn: z.iso.date(),
    isOlderThanAYear: z.boolean(),
    source: z.string(),
    costUsd: decimal.meta({ description: 'Of the same GPU hours, in proportion to the GPUs' }),
    savedThousandths: z
      .object({ onDemand: saved, interruptible: saved, reserved: saved })
      .meta({ description: 'The part of `costUsd` that is saved here; negative where it costs more' }),
  })
  .meta({ id: 'CloudListPrice' });

const comparison = z
  .object({
    status: z.enum(['compared', 'no_rate', 'no_list_price']).meta({
      description:
        '`no_rate`: the platform has no rate of ASTRO to US dollars; `no_list_price`: none is known of this model',
    }),
    rate: z.object({ usdPerAstro: decimal, observedOn: z.iso.date(), source: z.string() }).optional(),
    listPrices: z.array(listPrice),
  })
  .meta({ id: 'CloudComparison' });

export const quote = z
  .object({
    gpu: z.string(),
    count: z.int(),
    hours: z.int(),
    asOf: z.iso.datetime(),
    surgeThousandths: z
      .int()
      .meta({ description: 'The posted price of GPUs now, in thousandths of each node’s own' }),
    onDemand: offer,
    interruptible: offer.meta({ description: 'What it would clear at now; it may be stopped with notice' }),
    reserved: offer,
    comparison,
  })
  .meta({ id: 'Quote' });
