import type { RunFolder } from '../runs/run-folders.js';
import { SCRATCH_FOLDER } from '../runtime/task-runtime.js';
import { checkpointArguments, streamArguments } from './sandboxed-process.js';

const BYTES_PER_MIB = 1024 * 1024;
const PAGE_BYTES = 4_096;
/** The first user that people have on most machines; nothing in the sandbox belongs to another one. */
const USER_ID = '1000';

export type SandboxPlan = {
  readonly run: RunFolder;
  readonly args: readonly string[];
  readonly memoryLimitMib: number;
  readonly outputLimitBytes: number;
  readonly hasNetwork: boolean;
  /** Present: there is a folder for checkpoints, with one in it to continue from or without. */
  readonly checkpoints: { readonly sizeLimitBytes: number; readonly continues: boolean } | undefined;
  /** Where a server is to listen. */
  readonly port: number | undefined;
};

/** Room for one page more than is allowed: who filled it has written too much. */
export const outputRoomBytes = (limitBytes: number): number =>
  (Math.ceil(limitBytes / PAGE_BYTES) + 1) * PAGE_BYTES;

/** Beside the last checkpoint there is room for the next. */
export const checkpointRoomBytes = (sizeLimitBytes: number): number => outputRoomBytes(2 * sizeLimitBytes);

export const markerOf = ({ id }: RunFolder): string => `/run/${id}`;

/**
 * What bubblewrap is told: new namespaces of every kind, no way to make more of them, no right of any kind, a root
 * that is read-only but for what is bounded, no environment, and an end with the agent.
 */
export function bubblewrapArguments(root: readonly string[], plan: SandboxPlan): string[] {
  const { run, args, memoryLimitMib, outputLimitBytes, hasNetwork, checkpoints, port } = plan;
  const room = (folder: string, bytes: number) => ['--size', String(bytes), '--tmpfs', folder];
  const memoryBytes = memoryLimitMib * BYTES_PER_MIB;
  return [
    ...['--unshare-all', '--unshare-user', '--disable-userns', ...(hasNetwork ? ['--share-net'] : [])],
    ...['--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ...['--uid', USER_ID, '--gid', USER_ID, '--hostname', 'sandbox'],
    ...['--clearenv', '--setenv', 'PATH', '/usr/bin:/bin', '--setenv', 'HOME', SCRATCH_FOLDER],
    ...['--setenv', 'LANG', 'C.UTF-8'],
    ...(port === undefined ? [] : ['--setenv', 'PORT', String(port)]),
    ...root,
    ...['--proc', '/proc', '--dev', '/dev', ...room('/dev/shm', memoryBytes), '--remount-ro', '/dev'],
    ...room(SCRATCH_FOLDER, memoryBytes),
    ...room('/output', outputRoomBytes(outputLimitBytes)),
    ...(checkpoints ? room('/checkpoint', checkpointRoomBytes(checkpoints.sizeLimitBytes)) : []),
    ...(checkpoints?.continues ? checkpointArguments : []),
    ...['--ro-bind', `${run.path}/input`, '/input', '--ro-bind', `${run.path}/program`, '/program'],
    ...['--dir', markerOf(run), '--chdir', SCRATCH_FOLDER, '--remount-ro', '/'],
    ...streamArguments,
    ...['--', '/program', ...args],
  ];
}
