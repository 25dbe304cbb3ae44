import { randomBytes } from 'node:crypto';
import { provision } from '@astro/postgres/provision';
import { services } from './services.js';
import type { StateFolder } from './state.js';

/** The role that only reads: the gateway's. */
export const readerRole = 'gateway';
const database = 'astro';
const passwordFile = 'database-passwords';

export type Databases = {
  /** The platform's database, as the superuser. */
  readonly adminUrl: string;
  /** The platform's database, as the role of one service. */
  urlOf(role: string): string;
};

/** Makes the database with one schema and role for each service. */
export async function provisionDatabase(serverUrl: string, state: StateFolder): Promise<Databases> {
  const owners = services.flatMap(({ context }) => (context ? [{ role: context, schema: context }] : []));
  const roles = [...owners.map(({ role }) => role), readerRole];
  const passwords = passwordsOf(roles, state);
  const passwordOf = (role: string) => {
    const password = passwords[role];
    if (password === undefined) throw new Error(`There is no database role ${role}.`);
    return password;
  };
  await provision(serverUrl, {
    database,
    owners: owners.map(owner => ({ ...owner, password: passwordOf(owner.role) })),
    reader: { role: readerRole, password: passwordOf(readerRole) },
  });
  const urlFor = (login?: { readonly role: string; readonly password: string }) => {
    const url = new URL(serverUrl);
    url.pathname = `/${database}`;
    if (login) [url.username, url.password] = [login.role, login.password];
    return url.href;
  };
  return { adminUrl: urlFor(), urlOf: role => urlFor({ role, password: passwordOf(role) }) };
}

/** Each role's own, the same ever after; a role that an earlier version did not know gets its first one. */
function passwordsOf(roles: readonly string[], state: StateFolder): Readonly<Record<string, string>> {
  const kept = state.read<Record<string, string>>(passwordFile) ?? {};
  const missing = roles.filter(role => kept[role] === undefined);
  if (missing.length === 0) return kept;
  const made = missing.map(role => [role, randomBytes(24).toString('base64url')]);
  const passwords = { ...kept, ...(Object.fromEntries(made) as Record<string, string>) };
  state.write(passwordFile, passwords);
  return passwords;
}
