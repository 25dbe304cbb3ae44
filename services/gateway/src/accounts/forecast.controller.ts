import { balanceOfTenant } from '@astro/read-models/billing/balances';
import { spentWithin } from '@astro/read-models/billing/spending';
import { runningPriceOf } from '@astro/read-models/scheduling/leases';
import type { EntityManager } from '@mikro-orm/postgresql';
import { Controller } from '@nestjs/common';
import type { z } from 'zod';
import { FromCaller, type Caller } from '../http/caller.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { forecastOf, type Spender } from './forecast.js';
import * as schema from './forecast.schema.js';

const HOUR_MS = 3_600_000;

@Controller()
export class ForecastController {
  constructor(private readonly readModels: ReadModels) {}

  @Operation('GET', '/v1/balance/forecast', {
    summary: 'Read when your money will be gone',
    description: 'If it goes on being spent as fast as lately, or by what runs now, whichever is faster.',
    callers: ['tenant'],
    answers: { 200: { description: 'The forecast', schema: schema.forecast } },
  })
  async forecast(@FromCaller() { id }: Caller): Promise<z.infer<typeof schema.forecast>> {
    const now = new Date();
    const spender = await this.readModels.query(em => spenderOf(em, id, now));
    const { fundsAtto, perHourAtto, basis, emptyAt } = forecastOf(spender, now);
    return {
      at: now.toISOString(),
      fundsAtto: fundsAtto.toString(),
      perHourAtto: perHourAtto.toString(),
      basis,
      ...(emptyAt && {
        emptyAt: emptyAt.toISOString(),
        emptyInSeconds: Math.floor((emptyAt.getTime() - now.getTime()) / 1_000),
      }),
    };
  }
}

async function spenderOf(em: EntityManager, id: string, now: Date): Promise<Spender> {
  const { availableAtto, reservedAtto, incomingAtto } = await balanceOfTenant(em, id);
  return {
    fundsAtto: availableAtto + reservedAtto + incomingAtto,
    lastHour: await spentWithin(em, id, HOUR_MS, now),
    lastDay: await spentWithin(em, id, 24 * HOUR_MS, now),
    runningPerSecondAtto: await runningPriceOf(em, id),
  };
}
