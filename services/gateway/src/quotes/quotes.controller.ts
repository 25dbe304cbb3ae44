import { createHash } from 'node:crypto';
import { cidOfSha256 } from '@astro/messages/content-id';
import type { JobSpec, PoolCommand } from '@astro/messages/scheduling';
import { plainJob, plainRequirements } from '@astro/messages/unconstrained';
import { Controller, Inject, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { planAnswer } from '../jobs/foresight.schema.js';
import { PoolQuestions } from '../jobs/pool-questions.js';
import { Operation } from '../openapi/operation.js';
import { compare, costOfHoursAtto, picoUsd, type Comparison, type UsdRate } from './comparison.js';
import * as schema from './quotes.schema.js';

type QuoteQuery = z.output<typeof schema.quoteQuery>;
type Plan = z.output<typeof planAnswer>;

/** No node asks more: a quote tells the price, it does not bound it. */
const UNBOUNDED_ATTO = 10n ** 29n;
/** A plan wants the id of a program, and a quote is for any: that of no bytes, which no node has. */
const NO_PROGRAM = cidOfSha256(createHash('sha256').digest());
/** A program runs no longer, and longer work is begun anew or a service. */
const PLANNED_MS_MAX = 3_600_000;

@Controller()
export class QuotesController {
  constructor(
    private readonly questions: PoolQuestions,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  @Operation('GET', '/v1/quotes', {
    summary: 'What GPUs cost now',
    description: 'On demand, interruptible and reserved, and what that saves against public clouds.',
    callers: ['tenant'],
    query: schema.quoteQuery,
    answers: { 200: { description: 'The quote', schema: schema.quote } },
    problems: ['pool_unavailable', 'command_refused'],
  })
  async quote(
    @Query() query: QuoteQuery,
    @FromCaller() { id: tenantId }: Caller,
    @Req() request: FastifyRequest,
  ): Promise<z.infer<typeof schema.quote>> {
    const now = new Date();
    const planOf = (leaseClass: JobSpec['leaseClass']): Promise<Plan> => {
      const data = { poolId: this.config.POOL_ID, tenantId, spec: specOf(query, leaseClass), now };
      const command: PoolCommand = { type: 'PlanJob', data };
      return this.questions.ask(command, planAnswer, request);
    };
    const plans = {
      onDemand: await planOf('on_demand'),
      interruptible: await planOf('interruptible'),
      reserved: await planOf('reserved'),
    };
    const costsAtto = {
      onDemand: costOf(query, plans.onDemand),
      interruptible: costOf(query, plans.interruptible),
      reserved: costOf(query, plans.reserved),
    };
    const comparison = compare({ ...query, costsAtto }, rateOf(this.config), now);
    return {
      ...query,
      asOf: now.toISOString(),
      surgeThousandths: plans.onDemand.surgeThousandths,
      onDemand: toOffer(plans.onDemand, costsAtto.onDemand),
      interruptible: toOffer(plans.interruptible, costsAtto.interruptible),
      reserved: toOffer(plans.reserved, costsAtto.reserved),
      comparison: toComparison(comparison, this.config),
    };
  }
}

const specOf = ({ gpu, count, hours }: QuoteQuery, leaseClass: JobSpec['leaseClass']): JobSpec => ({
  ...plainJob,
  name: 'quote',
  program: {
    cid: NO_PROGRAM,
    timeLimitMs: Math.min(hours * 3_600_000, PLANNED_MS_MAX),
    memoryLimitMib: 1,
    outputLimitBytes: 1,
  },
  requirements: {
    ...plainRequirements,
    deviceKind: 'gpu',
    deviceModel: gpu,
    deviceCount: count,
    cpuMillis: 100,
    memoryMib: 1,
    maxPricePerSecondAtto: UNBOUNDED_ATTO,
  },
  tasks: [{ taskId: 'quote', inputs: [], args: [] }],
  quorum: 1,
  leaseClass,
});

const priceOf = ({ placements }: Plan): bigint | undefined =>
  placements[0] && BigInt(placements[0].pricePerSecondAtto);

function costOf({ hours }: QuoteQuery, plan: Plan): bigint | undefined {
  const priceAtto = priceOf(plan);
  return priceAtto === undefined ? undefined : costOfHoursAtto(hours, priceAtto);
}

function toOffer(plan: Plan, costAtto: bigint | undefined): z.infer<typeof schema.quote>['onDemand'] {
  const priceAtto = priceOf(plan);
  return {
    isAvailable: priceAtto !== undefined,
    ...(priceAtto !== undefined && { pricePerSecondAtto: priceAtto.toString() }),
    ...(costAtto !== undefined && { costAtto: costAtto.toString() }),
    ...(plan.startsInMs && { startsInMs: plan.startsInMs }),
    eligibleNodes: plan.eligibleNodes,
  };
}

function rateOf(config: GatewayConfig): UsdRate | undefined {
  const {
    ASTRO_USD_RATE: usd,
    ASTRO_USD_RATE_OBSERVED_ON: observedOn,
    ASTRO_USD_RATE_SOURCE: source,
  } = config;
  if (usd === undefined || observedOn === undefined || source === undefined) return undefined;
  return { picoUsdPerAstro: picoUsd(usd), observedOn, source };
}

function toComparison(
  comparison: Comparison,
  { ASTRO_USD_RATE: usdPerAstro = '' }: GatewayConfig,
): z.infer<typeof schema.quote>['comparison'] {
  if (comparison.status !== 'compared') return { status: comparison.status, listPrices: [] };
  const { rate, savings, status } = comparison;
  return {
    status,
    rate: { usdPerAstro, observedOn: rate.observedOn, source: rate.source },
    listPrices: savings.map(({ gpu: _sameForAll, microUsdPerHour, costMicroUsd, ...price }) => ({
      ...price,
      usdPerHour: usdOf(BigInt(microUsdPerHour)),
      costUsd: usdOf(costMicroUsd),
    })),
  };
}

const MICRO_DIGITS = 6;
const usdOf = (microUsd: bigint): string => {
  const digits = microUsd.toString().padStart(MICRO_DIGITS + 1, '0');
  return `${digits.slice(0, -MICRO_DIGITS)}.${digits.slice(-MICRO_DIGITS)}`;
};
