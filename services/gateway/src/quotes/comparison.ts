import { costAtto } from '@astro/matching/cost';
import { cloudListPrices, type CloudListPrice } from './cloud-list-prices.js';

/** What one ASTRO is worth, as whoever runs the platform has set it. */
export type UsdRate = {
  /** In 10^-12 US dollars for one ASTRO. */
  readonly picoUsdPerAstro: bigint;
  readonly observedOn: string;
  readonly source: string;
};

/** GPUs of one model for a time; `costAtto` is what they cost here, and absent of what cannot be had now. */
export type Compared = {
  readonly gpu: string;
  readonly count: number;
  readonly hours: number;
  readonly costsAtto: Readonly<Record<string, bigint | undefined>>;
};

export type Saving = CloudListPrice & {
  readonly isOlderThanAYear: boolean;
  /** What the same GPU hours cost by this list, in 10^-6 US dollars, rounded down. */
  readonly costMicroUsd: bigint;
  /** For each of the costs, the part of the list's that is saved, in thousandths; negative where it costs more. */
  readonly savedThousandths: Readonly<Record<string, number>>;
};
export type Comparison =
  | { readonly status: 'no_rate' | 'no_list_price' }
  | { readonly status: 'compared'; readonly rate: UsdRate; readonly savings: readonly Saving[] };

const MS_PER_HOUR = 3_600_000;
const ATTO_PER_ASTRO = 10n ** 18n;
const PICO_PER_MICRO = 1_000_000n;

/** Nobody's rate is assumed: without one, and without a list price of the very model, nothing is compared. */
export function compare(
  { gpu, count, hours, costsAtto }: Compared,
  rate: UsdRate | undefined,
  today: Date,
): Comparison {
  if (!rate) return { status: 'no_rate' };
  const known = cloudListPrices.filter(price => price.gpu === modelName(gpu));
  if (known.length === 0) return { status: 'no_list_price' };
  const savings = known.map(price => {
    const costMicroUsd = (BigInt(price.microUsdPerHour) * BigInt(count) * BigInt(hours)) / BigInt(price.gpus);
    const savedThousandths: Record<string, number> = {};
    for (const [name, atto] of Object.entries(costsAtto))
      if (atto !== undefined) savedThousandths[name] = savedOf(atto, costMicroUsd, rate);
    return {
      ...price,
      isOlderThanAYear: isOlderThanAYear(price.observedOn, today),
      costMicroUsd,
      savedThousandths,
    };
  });
  return { status: 'compared', rate, savings };
}

/** Rounded towards less saved. */
function savedOf(atto: bigint, listMicroUsd: bigint, { picoUsdPerAstro }: UsdRate): number {
  const costPico = (atto * picoUsdPerAstro + ATTO_PER_ASTRO - 1n) / ATTO_PER_ASTRO;
  const listPico = listMicroUsd * PICO_PER_MICRO;
  const difference = (listPico - costPico) * 1_000n;
  const isExact = difference % listPico === 0n;
  const towardsZero = difference / listPico;
  return Number(difference < 0n && !isExact ? towardsZero - 1n : towardsZero);
}

/** One spelling of what vendors and operators call a GPU: `NVIDIA A100-SXM4-80GB` is `A100-80GB`. */
export const modelName = (model: string): string =>
  model
    .toUpperCase()
    .split(/[\s_-]+/)
    .filter(part => part !== '' && !/^(NVIDIA|TESLA|SXM\d?|PCIE|40GB)$/.test(part))
    .join('-');

export function isOlderThanAYear(day: string, today: Date): boolean {
  const anniversary = new Date(`${day}T00:00:00Z`);
  anniversary.setUTCFullYear(anniversary.getUTCFullYear() + 1);
  return anniversary < today;
}

/** The cost of a lease that lasts for the hours, in base units. */
export const costOfHoursAtto = (hours: number, pricePerSecondAtto: bigint): bigint =>
  costAtto(hours * MS_PER_HOUR, pricePerSecondAtto);

const PICO_DIGITS = 12;

/** `0.25` US dollars in 10^-12 of them. The text has at most 12 digits behind the point. */
export function picoUsd(decimal: string): bigint {
  const [whole = '', fraction = ''] = decimal.split('.');
  return BigInt(`${whole}${fraction.padEnd(PICO_DIGITS, '0')}`);
}
