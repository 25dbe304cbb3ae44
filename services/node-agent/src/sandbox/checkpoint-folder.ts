import { type Fd, type Inode, type OpenDirectory, wasi } from '@bjorn3/browser_wasi_shim';
import {
  FixedFile,
  MountedDirectory,
  OpenOutputDirectory,
  OutputDirectory,
  OutputFile,
  OutputQuota,
} from './file-system.ts';

const ENTRIES_MAX = 64;
/** What a checkpoint is called once it is complete. */
const LATEST = 'latest';
/** A file that is there as soon as the program is to end: a module hears no signals. */
const STOP = 'stop';

/** Beside the last checkpoint there is room for the next. */
class CheckpointQuota extends OutputQuota {
  constructor(limitBytes: number) {
    super(2 * limitBytes);
  }

  /** Files come and go here; how many there are is looked at when one is made. */
  override addEntry(): void {}
}

export type CheckpointFolder = {
  readonly quota: OutputQuota;
  readonly limitBytes: number;
  /** What the program continues from. */
  readonly latest: Uint8Array | undefined;
  readonly isToStop: () => boolean;
  /** Called with the file's own bytes, which the program may change afterwards. */
  readonly complete: (bytes: Uint8Array) => void;
};

export const checkpointQuota = (limitBytes: number): OutputQuota => new CheckpointQuota(limitBytes);

/** `/checkpoint`: like `/output`, but that a file which is replaced or removed makes room. */
export function checkpointDirectory(folder: CheckpointFolder): Fd {
  const root = new CheckpointDirectory(folder);
  if (folder.latest) {
    const file = new OutputFile(folder.quota);
    file.resize(folder.latest.length);
    file.data.set(folder.latest);
    root.contents.set(LATEST, file);
  }
  return new MountedDirectory('/checkpoint', root);
}

type Path = Parameters<OutputDirectory['get_entry_for_path']>[0];

class CheckpointDirectory extends OutputDirectory {
  readonly #folder: CheckpointFolder;

  constructor(folder: CheckpointFolder) {
    super(folder.quota);
    this.#folder = folder;
  }

  override path_open(): { ret: number; fd_obj: OpenDirectory } {
    return { ret: wasi.ERRNO_SUCCESS, fd_obj: new OpenCheckpointDirectory(this, this.#folder) };
  }

  override get_entry_for_path(path: Path): { ret: number; entry: Inode | null } {
    if (this.#folder.isToStop() && !this.contents.has(STOP))
      this.contents.set(STOP, new FixedFile([], { readonly: true }));
    return super.get_entry_for_path(path);
  }

  override create_entry_for_path(path: string, isDirectory: boolean): { ret: number; entry: Inode | null } {
    if (this.contents.size >= ENTRIES_MAX) return { ret: wasi.ERRNO_NOSPC, entry: null };
    return super.create_entry_for_path(path, isDirectory);
  }
}

class OpenCheckpointDirectory extends OpenOutputDirectory {
  readonly #directory: CheckpointDirectory;
  readonly #folder: CheckpointFolder;

  constructor(directory: CheckpointDirectory, folder: CheckpointFolder) {
    super(directory, folder.quota);
    this.#directory = directory;
    this.#folder = folder;
  }

  /** The second half of a rename. A second name of a file could be removed and would take its bytes with it. */
  override path_link(path: string, inode: Inode, isRename: boolean): number {
    if (!isRename) return wasi.ERRNO_NOTSUP;
    const replaced = this.#directory.contents.get(path);
    const result = super.path_link(path, inode, isRename);
    if (result !== wasi.ERRNO_SUCCESS) return result;
    if (replaced !== inode) discard(replaced);
    const isComplete = path === LATEST && inode instanceof OutputFile;
    if (isComplete && inode.data.length <= this.#folder.limitBytes) this.#folder.complete(inode.data);
    return result;
  }

  override path_unlink_file(path: string): number {
    const removed = this.#directory.contents.get(path);
    const result = super.path_unlink_file(path);
    if (result === wasi.ERRNO_SUCCESS) discard(removed);
    return result;
  }
}

/** A program may still hold it open: what it had is gone, so that it takes no memory. */
function discard(inode: Inode | undefined): void {
  if (!(inode instanceof OutputFile)) return;
  inode.resize(0);
  inode.data = new Uint8Array();
}
