import { spawnSync } from 'node:child_process';
import { userInfo } from 'node:os';

/** The system account that PostgreSQL runs under. */
export type Account = { readonly uid: number; readonly gid: number };

/**
 * PostgreSQL refuses to run as root, so root lends it to an account that is there anyway: `postgres`, or `nobody`.
 * Nobody else needs another account than their own.
 */
export function postgresAccount(): Account | undefined {
  if (userInfo().uid !== 0) return undefined;
  const account = accountNamed('postgres') ?? accountNamed('nobody');
  if (!account)
    throw new Error('PostgreSQL cannot run as root, and there is neither a user postgres nor nobody.');
  return account;
}

function accountNamed(name: string): Account | undefined {
  const [user, group] = ['-u', '-g'].map(flag => spawnSync('id', [flag, name], { encoding: 'utf8' }));
  if (user?.status !== 0 || group?.status !== 0) return undefined;
  return { uid: Number(user.stdout), gid: Number(group.stdout) };
}

/** Whether the account can enter this folder. Asked of the system, which knows of access lists and odd mounts. */
export function canEnter(account: Account, folder: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { ...account, cwd: '/' }).status === 0;
}
