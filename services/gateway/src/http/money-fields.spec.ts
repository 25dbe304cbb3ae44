import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { controllers } from '../gateway.module.js';
import { OPERATION, type RoutedOperation } from '../openapi/operation.js';
import type { Type } from '@nestjs/common';

type JsonSchema = {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
};
type Path = readonly (string | number)[];

/** Every field of a request that holds money, wherever it stands: a route that comes later is tested too. */
const fields = controllers
  .flatMap(operationsIn)
  .flatMap(({ method, path, body, query }) =>
    [body, query].flatMap(schema =>
      schema ? moneyIn(schema).map(at => ({ method, path, at, schema })) : [],
    ),
  )
  .map(field => ({ ...field, route: `${field.method} ${field.path}`, name: nameOf(field.at) }));

function operationsIn(controller: Type): readonly RoutedOperation[] {
  const prototype = controller.prototype as Record<string, object>;
  return Object.getOwnPropertyNames(prototype).flatMap(
    name => (Reflect.getMetadata(OPERATION, prototype[name]!) as RoutedOperation | undefined) ?? [],
  );
}

function moneyIn(schema: z.ZodType): readonly Path[] {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  const walk = (part: JsonSchema, at: Path): Path[] => {
    if (part.$ref !== undefined) return walk(root.$defs?.[part.$ref.split('/').at(-1)] ?? {}, at);
    const inFields = Object.entries(part.properties ?? {}).flatMap(([name, field]) =>
      /(Atto|^nodePrice)$/.test(name) ? [[...at, name]] : walk(field, [...at, name]),
    );
    const inItems = part.items ? walk(part.items, [...at, 0]) : [];
    return [...inFields, ...inItems, ...(part.anyOf ?? []).flatMap(choice => walk(choice, at))];
  };
  return walk(root, []);
}

function nameOf(at: Path): string {
  return at.join('.');
}

/** The rules that are broken at the field when it has this value and no other field has any. */
function rulesBroken(schema: z.ZodType, at: Path, value: unknown): readonly string[] {
  const issues = schema.safeParse(nested(at, value)).error?.issues ?? [];
  return issues.filter(({ path }) => nameOf(path as Path) === nameOf(at)).map(({ message }) => message);
}

/** The same, without what any value breaks because the field stands alone. */
function rulesBrokenBy(schema: z.ZodType, at: Path, value: unknown): readonly string[] {
  const alone = rulesBroken(schema, at, '1');
  return rulesBroken(schema, at, value).filter(rule => !alone.includes(rule));
}

test('the routes that take money are known', () => {
  expect(fields.map(({ route, name }) => `${route} ${name}`)).toEqual(
    expect.arrayContaining([
      'POST /v1/jobs requirements.maxPricePerSecondAtto',
      'POST /v1/jobs requirements.maxPricePerGibTransferredAtto',
      'POST /v1/jobs service.budgetAtto',
      'POST /v1/jobs/plan requirements.maxPricePerSecondAtto',
      'GET /v1/jobs/:id/explain/tick nodePrice',
      'POST /v1/nodes offer.pricePerSecondAtto',
      'POST /v1/nodes offer.interruptiblePricePerSecondAtto',
      'POST /v1/nodes offer.pricePerGibTransferredAtto',
      'POST /v1/reservations requirements.maxPricePerSecondAtto',
      'POST /v1/transfers amountAtto',
      'PUT /v1/budgets/:id amountAtto',
      'PUT /v1/balance/alert amountAtto',
    ]),
  );
});

describe.each(fields)('$route: $name', ({ schema, at }) => {
  test.each<[string, unknown]>([
    ['a negative amount', '-1'],
    ['a fraction', '1.5'],
    ['an exponent', '1e18'],
    ['another unit', '1 ASTRO'],
    ['another currency', '5 USD'],
    ['a sign of a currency', '$5'],
    ['hexadecimal digits', '0x10'],
    ['separators', '1_000'],
    ['a leading zero', '01'],
    ['a space', ' 1'],
    ['a line break', '1\n'],
    ['digits of another script', '١'],
    ['no digits', ''],
    ['a JSON number', 5],
    ['an amount with its currency', { amount: '5', currency: 'USD' }],
    ['2^256', String(2n ** 256n)],
    ['more digits than any amount has', '9'.repeat(100)],
  ])('is refused with %s, and the rule is told', (_what, value) => {
    expect(rulesBrokenBy(schema, at, value)).toEqual([expect.stringMatching(/\S/)]);
  });

  test('takes a base unit', () => {
    const rules = rulesBroken(schema, at, '1');
    expect(rules.filter(rule => /units|string|2\^256/.test(rule))).toEqual([]);
  });

  test('is refused beside a currency that is not of the ledger', () => {
    const beside = [...at.slice(0, -1), 'currency'];
    const [issue] = schema.safeParse(nested(beside, 'USD')).error?.issues.filter(isAbout(beside)) ?? [];
    expect(issue).toBeDefined();
  });
});

const nested = (at: Path, value: unknown): unknown =>
  at.reduceRight((inner, part) => (typeof part === 'number' ? [inner] : { [part]: inner }), value);

/** As the gateway names it: an unknown field is told at the object that it is in. */
const isAbout = (at: Path) => (issue: z.core.$ZodIssue) =>
  nameOf(issue.path as Path) === nameOf(at) ||
  (issue.code === 'unrecognized_keys' && nameOf([...(issue.path as Path), ...issue.keys]) === nameOf(at));

test.each(fields.filter(({ name }) => name !== 'nodePrice'))('$route: $name is refused with zero', field =>
  expect(rulesBrokenBy(field.schema, field.at, '0')).toEqual([expect.stringMatching(/\S/)]),
);
