import type { SpentSince } from '@astro/read-models/billing/spending';

/** What a tenant has and how fast it goes. */
export type Spender = {
  /** To spend, held for open jobs, and about to be available. */
  readonly fundsAtto: bigint;
  readonly lastHour: SpentSince;
  readonly lastDay: SpentSince;
  /** Of the replicas that run now, in a second. */
  readonly runningPerSecondAtto: bigint;
};

/** By what the rate was told; `none`: nothing was charged for a day, and nothing runs. */
export type ForecastBasis = 'last_hour' | 'last_day' | 'running' | 'none';

export type Forecast = {
  readonly fundsAtto: bigint;
  readonly basis: ForecastBasis;
  /** The highest of the three, rounded up. */
  readonly perHourAtto: bigint;
  /** Undefined: not within ten years. */
  readonly emptyAt: Date | undefined;
};

const HOUR_MS = 3_600_000;
/** What is further away says nothing any more. */
const HORIZON_MS = 10n * 365n * 24n * BigInt(HOUR_MS);

/**
 * When the money is gone if it goes on being spent as fast as in the last hour, in the last day, or by what runs now,
 * whichever is fastest: a forecast that is too early does less harm than one that is too late.
 */
export function forecastOf({ fundsAtto, ...spender }: Spender, now: Date): Forecast {
  const rates: readonly (readonly [ForecastBasis, bigint])[] = [
    ['running', spender.runningPerSecondAtto * 3_600n],
    ['last_hour', perHour(spender.lastHour, now)],
    ['last_day', perHour(spender.lastDay, now)],
  ];
  const [basis, perHourAtto] = rates.reduce(
    (fastest, rate) => (rate[1] > fastest[1] ? rate : fastest),
    ['none', 0n],
  );
  if (perHourAtto === 0n) return { fundsAtto, basis, perHourAtto, emptyAt: undefined };
  const leftMs = fundsAtto <= 0n ? 0n : (fundsAtto * BigInt(HOUR_MS)) / perHourAtto;
  const emptyAt = leftMs > HORIZON_MS ? undefined : new Date(now.getTime() + Number(leftMs));
  return { fundsAtto, basis, perHourAtto, emptyAt };
}

function perHour({ from, chargedAtto }: SpentSince, now: Date): bigint {
  const elapsedMs = BigInt(Math.max(1, now.getTime() - from.getTime()));
  return (chargedAtto * BigInt(HOUR_MS) + elapsedMs - 1n) / elapsedMs;
}
