import { createHash, randomUUID } from 'node:crypto';
import { chown, lstat, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LATEST_CHECKPOINT } from './checkpoint-watch.js';
import type { TaskFiles } from '../runtime/task-runtime.js';

const EXECUTABLE = 0o555;
const READ_ONLY = 0o444;
const FOLDERS = ['input', 'output', 'checkpoint'];

/** Tells the agents of one machine apart, in places that they share. */
export const agentTag = (stateDir: string): string =>
  createHash('sha256').update(stateDir).digest('hex').slice(0, 12);

export type RunFolder = {
  readonly id: string;
  readonly path: string;
  remove(): Promise<void>;
};

/**
 * The folders of programs that run, below one which belongs to this agent alone. It is no part of the agent's state,
 * which no other user may enter: sandboxes run as other users.
 */
export class RunFolders {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** What an agent left behind that was killed is removed. */
  static async open(kind: string, stateDir: string): Promise<RunFolders> {
    const path = join(tmpdir(), `astro-${kind}-${agentTag(stateDir)}`);
    await mkdir(path, { mode: 0o711 }).catch(unlessItExists);
    const found = await lstat(path);
    if (!found.isDirectory() || found.uid !== process.getuid?.())
      throw new Error(`${path} belongs to somebody else: remove it`);
    for (const name of await readdir(path)) await rm(join(path, name), { recursive: true, force: true });
    return new RunFolders(path);
  }

  /**
   * `program` and the files of `input`, which `owner` may read, and `output` and `checkpoint`, which it may fill. The
   * latter holds what a program continues from.
   */
  async make({ program, inputs, checkpoint }: TaskFiles, owner: number | undefined): Promise<RunFolder> {
    const id = randomUUID();
    const path = join(this.path, id);
    for (const folder of [path, ...FOLDERS.map(name => join(path, name))]) {
      await mkdir(folder, { mode: 0o700 });
      if (owner !== undefined) await chown(folder, owner, owner);
    }
    await writeFile(join(path, 'program'), program, { mode: EXECUTABLE });
    for (const { name, bytes } of inputs)
      await writeFile(join(path, 'input', name), bytes, { mode: READ_ONLY, flag: 'wx' });
    if (checkpoint)
      await writeFile(join(path, 'checkpoint', LATEST_CHECKPOINT), checkpoint, { mode: READ_ONLY });
    return { id, path, remove: () => rm(path, { recursive: true, force: true }) };
  }

  async close(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

function unlessItExists(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
