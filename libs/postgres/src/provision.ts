import { Client, escapeIdentifier, escapeLiteral } from 'pg';
import { schemaAt, stages } from './stage.js';

export type Login = { readonly role: string; readonly password: string };
export type ProvisionOptions = {
  readonly database: string;
  /** One schema per service, written only by its role. */
  readonly owners: readonly (Login & { readonly schema: string })[];
  /** May select from every owner's tables, those to come included, and nothing else. */
  readonly reader: Login;
};

/** Provisioners on one server take turns: PostgreSQL answers concurrent changes of a role by errors. */
const provisionLock = 4_216_390_817;

/**
 * Makes the database, the roles and the schemas. Repeating it changes nothing but passwords.
 * @param adminUrl of a superuser, in any database of the server
 */
export async function provision(adminUrl: string, options: ProvisionOptions): Promise<void> {
  await withClient(adminUrl, async admin => {
    await admin.query('select pg_advisory_lock($1)', [provisionLock]); // until this connection ends
    for (const login of [...options.owners, options.reader]) await ensureLogin(admin, login);
    await ensureDatabase(admin, options.database);
    const url = new URL(adminUrl);
    url.pathname = `/${encodeURIComponent(options.database)}`;
    await withClient(url.href, async client => {
      await client.query('begin');
      for (const statement of grants(options)) await client.query(statement);
      await client.query('commit');
    });
  });
}

async function withClient(url: string, use: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 60_000 });
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}

async function ensureLogin(admin: Client, { role, password }: Login): Promise<void> {
  const { rowCount } = await admin.query('select 1 from pg_roles where rolname = $1', [role]);
  const verb = rowCount === 0 ? 'create' : 'alter';
  const rights = 'login nosuperuser nocreatedb nocreaterole noreplication nobypassrls';
  await admin.query(`${verb} role ${escapeIdentifier(role)} ${rights} password ${escapeLiteral(password)}`);
}

async function ensureDatabase(admin: Client, database: string): Promise<void> {
  const { rowCount } = await admin.query('select 1 from pg_database where datname = $1', [database]);
  if (rowCount === 0) await admin.query(`create database ${escapeIdentifier(database)}`);
}

/** Everybody loses what PostgreSQL gives by default (temporary tables, for one); each role gets what it needs. */
function grants({ database, owners, reader }: ProvisionOptions): string[] {
  const db = escapeIdentifier(database);
  const readerRole = escapeIdentifier(reader.role);
  return [
    `revoke all on database ${db} from public`,
    `revoke all on schema public from public`,
    `grant connect on database ${db} to ${readerRole}`,
    ...owners.flatMap(owner => {
      const role = escapeIdentifier(owner.role);
      const schema = escapeIdentifier(owner.schema);
      const schemas = stages.map(stage => escapeIdentifier(schemaAt(owner.schema, stage)));
      return [
        `grant connect on database ${db} to ${role}`,
        ...schemas.flatMap(each => [
          `create schema if not exists ${each} authorization ${role}`,
          `alter schema ${each} owner to ${role}`,
          // A table that is filled at another stage and then moved here takes its grants along. The reader may not
          // use the schemas of other stages, and so sees nothing in them.
          `alter default privileges for role ${role} in schema ${each} grant select on tables to ${readerRole}`,
        ]),
        `grant usage on schema ${schema} to ${readerRole}`,
        `grant select on all tables in schema ${schema} to ${readerRole}`,
      ];
    }),
  ];
}
