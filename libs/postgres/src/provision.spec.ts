import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import { Client } from 'pg';
import { createCheckpoints } from './checkpoints.js';
import { provision } from './provision.js';

/** Every character that a careless quotation would let out of its literal. */
const oddPassword = `a'b"c\\d $$ -- é`;
const options = {
  database: 'astro spec',
  owners: [
    { role: 'billing', password: oddPassword, schema: 'billing' },
    { role: 'scheduling', password: 'scheduling', schema: 'scheduling' },
  ],
  reader: { role: 'gateway', password: 'gateway' },
};

let dir: string;
let server: PostgresServer;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-provision-spec-'));
  chmodSync(dir, 0o755); // so that the server's own account can enter it
  server = await startPostgres({ dir });
  await provision(server.adminUrl, options);
  await as('billing', createCheckpoints('billing'));
});

afterAll(async () => {
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Runs one statement in the database as `role`. */
async function as(role: string, statement: string): Promise<unknown[]> {
  const { password } = [...options.owners, options.reader].find(login => login.role === role)!;
  const { hostname: host, port } = new URL(server.adminUrl);
  const client = new Client({ host, port: Number(port), database: options.database, user: role, password });
  await client.connect();
  try {
    return (await client.query(statement)).rows as unknown[];
  } finally {
    await client.end();
  }
}

const refused = { code: '42501' }; // insufficient_privilege
const insert = `insert into billing.checkpoints values ('p', 1)`;

test('repeated and concurrent provisioning changes nothing', async () => {
  await Promise.all([provision(server.adminUrl, options), provision(server.adminUrl, options)]);
  await expect(as('billing', 'select * from billing.checkpoints')).resolves.toEqual([]);
});

test('a service writes its own schema', async () => {
  await as('billing', insert);
  await expect(as('billing', 'delete from billing.checkpoints returning projection')).resolves.toHaveLength(
    1,
  );
});

test('a service can neither read nor write the schema of another', async () => {
  await expect(as('scheduling', 'select * from billing.checkpoints')).rejects.toMatchObject(refused);
  await expect(as('scheduling', insert)).rejects.toMatchObject(refused);
  await expect(as('scheduling', 'create table billing.mine (id int)')).rejects.toMatchObject(refused);
  await expect(as('scheduling', 'drop table billing.checkpoints')).rejects.toMatchObject(refused);
});

test('the reader reads every table, also those made later', async () => {
  await as('scheduling', 'create table scheduling.later (id int)');
  await expect(as('gateway', 'select * from billing.checkpoints')).resolves.toEqual([]);
  await expect(as('gateway', 'select * from scheduling.later')).resolves.toEqual([]);
});

test.each([
  insert,
  `update billing.checkpoints set position = 2`,
  `delete from billing.checkpoints`,
  `truncate billing.checkpoints`,
  `create table billing.mine (id int)`,
  `create table public.mine (id int)`,
  `create temporary table mine (id int)`,
  `create schema mine`,
])('the reader is refused: %s', async statement => {
  await expect(as('gateway', statement)).rejects.toMatchObject(refused);
});
