import { Directory, File, type Inode, OpenDirectory, OpenFile, wasi } from '@bjorn3/browser_wasi_shim';
import type { Fd } from '@bjorn3/browser_wasi_shim';
import type { NamedBytes } from './program-run.ts';

/** Outputs travel in reports and events by name, so that there are few of them and their names are plain. */
const OUTPUT_ENTRIES_MAX = 64;
const OUTPUT_NAME = /^(?:\.\/)*([A-Za-z0-9_-][A-Za-z0-9._-]{0,63})$/;

/** Thrown through the program that writes too much. It may catch it; the quota remembers. */
export class OutputLimitReached extends Error {
  override readonly name = 'OutputLimitReached';
}

/**
 * Counts what is written below `/output`. Bytes of a deleted file stay counted, for a program may still hold it
 * open: the quota is also what bounds the memory of the node.
 */
export class OutputQuota {
  readonly limitBytes: number;
  exceeded = false;
  #usedBytes = 0;
  #entries = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  resize(fromBytes: number, toBytes: number): void {
    this.#usedBytes += toBytes - fromBytes;
    if (this.#usedBytes > this.limitBytes) this.refuse();
  }

  addEntry(): void {
    this.#entries += 1;
    if (this.#entries > OUTPUT_ENTRIES_MAX) this.refuse();
  }

  refuse(): never {
    this.exceeded = true;
    throw new OutputLimitReached();
  }
}

/** `/input`: fixed files, which can be neither changed, moved nor removed. */
export function inputDirectory(inputs: readonly NamedBytes[]): Fd {
  const files = inputs.map(({ name, bytes }): [string, Inode] => [name, fileOf(bytes)]);
  return new MountedDirectory('/input', new FixedDirectory(new Map(files)));
}

/** `/output`: empty at first, and as large as the quota allows. */
export function outputDirectory(quota: OutputQuota): { fd: Fd; collect(): NamedBytes[] } {
  const root = new OutputDirectory(quota);
  return { fd: new MountedDirectory('/output', root), collect: () => collect(root, quota) };
}

function fileOf(bytes: Uint8Array): File {
  const file = new FixedFile([], { readonly: true });
  file.data = bytes;
  return file;
}

/** The shim lets a file that is read-only be truncated and extended; this one does not. */
export class FixedFile extends File {
  override path_open(oflags: number, rights: bigint, flags: number): { ret: number; fd_obj: OpenFile } {
    const opened = super.path_open(oflags, rights, flags);
    return opened.ret === wasi.ERRNO_SUCCESS ? { ret: opened.ret, fd_obj: new OpenFixedFile(this) } : opened;
  }
}

class OpenFixedFile extends OpenFile {
  override fd_allocate(): number {
    return wasi.ERRNO_BADF;
  }

  override fd_filestat_set_size(): number {
    return wasi.ERRNO_BADF;
  }
}

class FixedDirectory extends Directory {
  override path_open(): { ret: number; fd_obj: OpenDirectory } {
    return { ret: wasi.ERRNO_SUCCESS, fd_obj: new OpenFixedDirectory(this) };
  }

  override create_entry_for_path(): { ret: number; entry: Inode | null } {
    return { ret: wasi.ERRNO_ROFS, entry: null };
  }
}

class OpenFixedDirectory extends OpenDirectory {
  override path_link(): number {
    return wasi.ERRNO_ROFS;
  }

  override path_unlink(): { ret: number; inode_obj: Inode | null } {
    return { ret: wasi.ERRNO_ROFS, inode_obj: null };
  }

  override path_unlink_file(): number {
    return wasi.ERRNO_ROFS;
  }

  override path_remove_directory(): number {
    return wasi.ERRNO_ROFS;
  }
}

export class OutputDirectory extends Directory {
  readonly #quota: OutputQuota;

  constructor(quota: OutputQuota) {
    super(new Map());
    this.#quota = quota;
  }

  override path_open(): { ret: number; fd_obj: OpenDirectory } {
    return { ret: wasi.ERRNO_SUCCESS, fd_obj: new OpenOutputDirectory(this, this.#quota) };
  }

  /** Outputs lie side by side: there are no folders among them. */
  override create_entry_for_path(path: string, isDirectory: boolean): { ret: number; entry: Inode | null } {
    const name = OUTPUT_NAME.exec(path)?.[1];
    if (isDirectory) return { ret: wasi.ERRNO_NOTSUP, entry: null };
    if (name === undefined) return { ret: wasi.ERRNO_INVAL, entry: null };
    this.#quota.addEntry();
    const entry = new OutputFile(this.#quota);
    this.contents.set(name, entry);
    return { ret: wasi.ERRNO_SUCCESS, entry };
  }
}

export class OpenOutputDirectory extends OpenDirectory {
  readonly #quota: OutputQuota;

  constructor(directory: OutputDirectory, quota: OutputQuota) {
    super(directory);
    this.#quota = quota;
  }

  /** A hard link is an entry too, and the bytes of an input that is linked here are counted at the end. Only a
   * rename, which adds nothing, allows for folders. */
  override path_link(path: string, inode: Inode, allowDirectory: boolean): number {
    if (!OUTPUT_NAME.test(path)) return wasi.ERRNO_INVAL;
    if (!allowDirectory) this.#quota.addEntry();
    return super.path_link(path, inode, allowDirectory);
  }
}

export class OutputFile extends File {
  readonly #quota: OutputQuota;

  constructor(quota: OutputQuota) {
    super([]);
    this.#quota = quota;
  }

  override path_open(oflags: number, _rights: bigint, flags: number): { ret: number; fd_obj: OpenFile } {
    if (oflags & wasi.OFLAGS_TRUNC) this.resize(0);
    const opened = new OpenOutputFile(this);
    if (flags & wasi.FDFLAGS_APPEND) opened.fd_seek(0n, wasi.WHENCE_END);
    return { ret: wasi.ERRNO_SUCCESS, fd_obj: opened };
  }

  /** Grows by doubling within the quota, so that many small writes do not copy the file each time. */
  resize(bytes: number): void {
    const { data } = this;
    this.#quota.resize(data.length, bytes);
    if (bytes <= data.buffer.byteLength) {
      this.data = new Uint8Array(data.buffer, 0, bytes);
      if (bytes > data.length) this.data.fill(0, data.length);
      return;
    }
    const capacity = Math.max(bytes, Math.min(2 * data.buffer.byteLength, this.#quota.limitBytes));
    this.data = new Uint8Array(new ArrayBuffer(capacity), 0, bytes);
    this.data.set(data);
  }

  ensure(bytes: bigint): void {
    if (bytes > BigInt(this.#quota.limitBytes)) this.#quota.refuse();
    if (Number(bytes) > this.data.length) this.resize(Number(bytes));
  }
}

class OpenOutputFile extends OpenFile {
  readonly #file: OutputFile;

  constructor(file: OutputFile) {
    super(file);
    this.#file = file;
  }

  override fd_allocate(offset: bigint, length: bigint): number {
    if (offset < 0n || length < 0n) return wasi.ERRNO_INVAL;
    this.#file.ensure(offset + length);
    return wasi.ERRNO_SUCCESS;
  }

  override fd_filestat_set_size(size: bigint): number {
    if (size < 0n) return wasi.ERRNO_INVAL;
    this.#file.ensure(size);
    this.#file.resize(Number(size));
    return wasi.ERRNO_SUCCESS;
  }

  override fd_write(data: Uint8Array): { ret: number; nwritten: number } {
    const written = this.fd_pwrite(data, this.file_pos);
    this.file_pos += BigInt(written.nwritten);
    return written;
  }

  override fd_pwrite(data: Uint8Array, offset: bigint): { ret: number; nwritten: number } {
    if (offset < 0n) return { ret: wasi.ERRNO_INVAL, nwritten: 0 };
    this.#file.ensure(offset + BigInt(data.length));
    this.#file.data.set(data, Number(offset));
    return { ret: wasi.ERRNO_SUCCESS, nwritten: data.length };
  }
}

/** A folder that the program finds opened, under an absolute name. */
export class MountedDirectory extends OpenDirectory {
  readonly #name: string;
  readonly #opened: OpenDirectory;

  constructor(name: string, directory: FixedDirectory | OutputDirectory) {
    super(directory);
    this.#name = name;
    this.#opened = directory.path_open().fd_obj;
  }

  override fd_prestat_get(): { ret: number; prestat: wasi.Prestat } {
    return { ret: wasi.ERRNO_SUCCESS, prestat: wasi.Prestat.dir(this.#name) };
  }

  override path_link(path: string, inode: Inode, allowDirectory: boolean): number {
    return this.#opened.path_link(path, inode, allowDirectory);
  }

  override path_unlink(path: string): { ret: number; inode_obj: Inode | null } {
    return this.#opened.path_unlink(path);
  }

  override path_unlink_file(path: string): number {
    return this.#opened.path_unlink_file(path);
  }

  override path_remove_directory(path: string): number {
    return this.#opened.path_remove_directory(path);
  }
}

function collect(root: Directory, quota: OutputQuota): NamedBytes[] {
  const outputs = [...root.contents].flatMap(([name, entry]) =>
    entry instanceof File ? [{ name, bytes: entry.data.slice() }] : [],
  );
  const totalBytes = outputs.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (totalBytes > quota.limitBytes) quota.refuse();
  return outputs.sort((left, right) => (left.name < right.name ? -1 : 1));
}
