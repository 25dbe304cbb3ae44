import { describe, expect, test } from '@jest/globals';
import { cloudListPrices } from './cloud-list-prices.js';
import { compare, costOfHoursAtto, isOlderThanAYear, modelName, picoUsd } from './comparison.js';

const astro = 10n ** 18n;
const today = new Date('2025-09-28T00:00:00Z');
const rate = { picoUsdPerAstro: picoUsd('0.5'), observedOn: '2025-09-01', source: 'an exchange' };
const eight = { gpu: 'A100', count: 8, hours: 2 };

describe('a quote is compared with list prices', () => {
  test('of the same model only, and the saving is that of the same GPU hours', () => {
    // Two hours of p4d.24xlarge are 65.546 US dollars; 65.546 ASTRO are half of that.
    const costsAtto = {
      onDemand: (65_546n * astro) / 1_000n,
      reserved: 262n * astro,
      interruptible: undefined,
    };
    const compared = compare({ ...eight, costsAtto }, rate, today);
    if (compared.status !== 'compared') throw new Error(compared.status);
    expect(new Set(compared.savings.map(({ gpu }) => gpu))).toEqual(new Set(['A100']));
    const aws = compared.savings.find(({ instance }) => instance === 'p4d.24xlarge');
    expect(aws).toMatchObject({
      costMicroUsd: 65_546_000n,
      savedThousandths: { onDemand: 500, reserved: -999 },
    });
    expect(aws?.savedThousandths).not.toHaveProperty('interruptible');
    const gcp = compared.savings.find(({ provider }) => provider === 'GCP');
    expect(gcp).toMatchObject({ costMicroUsd: 58_768_000n, isOlderThanAYear: true });
  });

  test('never without a rate, and never with the price of another model', () => {
    expect(compare({ ...eight, costsAtto: {} }, undefined, today)).toEqual({ status: 'no_rate' });
    expect(compare({ ...eight, gpu: 'MI300X', costsAtto: {} }, rate, today)).toEqual({
      status: 'no_list_price',
    });
    expect(modelName('A100-80GB')).not.toBe(modelName('A100'));
  });

  test.each([
    ['NVIDIA A100-SXM4-80GB', 'A100-80GB'],
    ['a100 80gb pcie', 'A100-80GB'],
    ['Tesla V100', 'V100'],
    ['NVIDIA A100-SXM4-40GB', 'A100'],
  ])('%s is %s', (spelling, name) => expect(modelName(spelling)).toBe(name));

  test('a price is older than a year from the day after its anniversary on', () => {
    expect(isOlderThanAYear('2024-09-28', today)).toBe(false);
    expect(isOlderThanAYear('2024-09-28', new Date('2025-09-29T00:00:00Z'))).toBe(true);
  });
});

test('a cost is that of all the seconds', () => expect(costOfHoursAtto(2, 3n)).toBe(21_600n));

test.each([
  ['1', 10n ** 12n],
  ['0.25', 25n * 10n ** 10n],
  ['12.000000000001', 12n * 10n ** 12n + 1n],
])('%s US dollars are %s of their 10^-12 parts', (text, pico) => expect(picoUsd(text)).toBe(pico));

test.each(cloudListPrices)(
  'the list price of $provider $instance has a day, a source and a known spelling',
  row => {
    expect(new Date(`${row.observedOn}T00:00:00Z`).toISOString()).toContain(row.observedOn);
    expect(row.source).toMatch(/^https:\/\/\S+$/);
    expect(modelName(row.gpu)).toBe(row.gpu);
    expect(Number.isSafeInteger(row.microUsdPerHour) && row.microUsdPerHour > 0 && row.gpus > 0).toBe(true);
  },
);
