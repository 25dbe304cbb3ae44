import type { AggregateType } from '@astro/event-sourcing/recorded';
import type { Directed } from '@astro/event-sourcing/reactor';
import type { PoolCommand, TickCommand } from '@astro/messages/scheduling';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { Commands, type Asking } from '../commands.js';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { Problem } from '../http/problem.js';
import { assertAccepted } from '../rejections.js';

type Asked = Asking & { readonly type?: AggregateType };

/** Questions to the pool, which answers them from what it knows now and records nothing. */
@Injectable()
export class PoolQuestions {
  constructor(
    private readonly commands: Commands,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  /** @throws Problem `pool_unavailable` when nobody answers in time */
  async ask<Answer extends z.ZodType>(
    command: PoolCommand | TickCommand,
    answer: Answer,
    request: FastifyRequest,
    { type = 'scheduling.pool', ...asking }: Asked = {},
  ): Promise<z.output<Answer>> {
    const directed: Directed<PoolCommand | TickCommand> = {
      to: { type, id: this.config.POOL_ID },
      ...command,
    };
    const outcome = await this.commands.request(directed, request, asking);
    if (outcome === undefined) throw new Problem('pool_unavailable', { headers: { 'retry-after': '2' } });
    if (outcome.rejection === 'JobNotFound') throw new Problem('job_not_in_pool');
    assertAccepted(outcome);
    return answer.parse(JSON.parse(outcome.answer ?? 'null'));
  }
}
