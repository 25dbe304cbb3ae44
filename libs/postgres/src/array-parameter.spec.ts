import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import fc from 'fast-check';
import pg from 'pg';
import { arrayParameter } from './array-parameter.js';

let dir: string;
let server: PostgresServer;
let client: pg.Client;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-array-spec-'));
  chmodSync(dir, 0o755); // so that the server's own account can enter it
  server = await startPostgres({ dir });
  client = new pg.Client({ connectionString: server.adminUrl });
  await client.connect();
}, 60_000);

afterAll(async () => {
  await client.end();
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** What the server understood, in its own words; null stays null. */
async function understood(type: string, values: readonly unknown[], words: string): Promise<unknown[]> {
  const sql = `select ${words} as "word" from unnest($1::${type}[]) with ordinality as u(v, place) order by place`;
  const { rows } = await client.query<{ word: unknown }>(sql, [arrayParameter(type, values)]);
  return rows.map(({ word }) => word);
}

const text = fc
  .oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.constantFrom('', 'NULL', '"', '\\', '{,}', "'"))
  .filter(value => !value.includes('\0'));
/** Without quotes: V8 13.6 takes the name `"` in JSON for `\\` when it has met that one before. */
const name = fc.stringMatching(/^[a-z]{1,8}$/);
const date = fc.date({ min: new Date(0), max: new Date('9000-01-01'), noInvalidDate: true });

test.each<[string, fc.Arbitrary<unknown>, string, (value: never) => unknown]>([
  ['text', text, 'v', (value: string) => value],
  ['int', fc.integer(), 'v', (value: number) => value],
  [
    'bigint',
    fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    'v',
    String,
  ],
  ['boolean', fc.boolean(), 'v', (value: boolean) => value],
  ['numeric', fc.bigInt({ min: -(10n ** 77n), max: 10n ** 77n }), 'v', String],
  ['timestamptz', date, 'extract(epoch from v) * 1000', (value: Date) => `${value.getTime()}.000000`],
  ['bytea', fc.uint8Array(), "encode(v, 'hex')", (value: Uint8Array) => Buffer.from(value).toString('hex')],
  ['jsonb', fc.dictionary(name, fc.oneof(text, fc.integer())), 'v', (value: object) => ({ ...value })],
])('the server reads an array of %s as it was meant', async (type, item, words, meant) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.option(item), { maxLength: 50 }), async values => {
      const expected = values.map(value => (value === null ? null : meant(value as never)));
      expect(await understood(type, values, words)).toEqual(expected);
    }),
    { numRuns: 40 },
  );
});

test('a value that does not fit its column is refused before it is sent', () => {
  expect(() => arrayParameter('int', [2 ** 31])).toThrow('a column of type int cannot hold 2147483648');
  expect(() => arrayParameter('bigint', [0.5])).toThrow('a column of type bigint cannot hold 0.5');
  expect(() => arrayParameter('text', [7])).toThrow('a column of type text cannot hold 7');
  expect(() => arrayParameter('timestamptz', [new Date(NaN)])).toThrow('timestamptz cannot hold this object');
});
