import {
  args_get,
  args_sizes_get,
  fd_close,
  fd_filestat_get,
  fd_read,
  fd_write,
  path_filestat_get,
  path_open,
  path_rename,
  proc_exit,
} from './wasi_snapshot_preview1';

/** Folders are opened before the program starts, in this order, after the three standard streams. */
const INPUT: i32 = 3;
const OUTPUT: i32 = 4;
/** Only of jobs with checkpoints. */
const CHECKPOINT: i32 = 5;
const STDERR: i32 = 2;
const CREATE_AND_TRUNCATE: i32 = 1 | 8;
const RIGHT_TO_READ: i64 = 2;
const RIGHT_TO_WRITE: i64 = 64;
/** Where the size is in a `filestat`, which takes 64 bytes. */
const SIZE_IN_FILESTAT: usize = 32;

const scratch: usize = memory.data(64);

export function fail(reason: string): void {
  say(reason);
  proc_exit(1);
  unreachable();
}

/** @param fraction of the whole that is done, 0 to 1 */
export function tellProgress(fraction: f64, message: string): void {
  say('::progress ' + fraction.toString() + ' ' + message);
}

function say(line: string): void {
  const text = Uint8Array.wrap(String.UTF8.encode(line + '\n'));
  store<usize>(scratch, text.dataStart);
  store<i32>(scratch + 4, text.length);
  fd_write(STDERR, scratch, 1, scratch + 8);
}

/** What the compiler calls when an assertion or a bounds check fails. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  fail((message ? message : 'aborted') + ' at ' + (file ? file : '?') + ':' + line.toString());
}

export function programArguments(): string[] {
  if (args_sizes_get(scratch, scratch + 4) != 0) fail('the arguments cannot be read');
  const count = load<i32>(scratch);
  const pointers = new StaticArray<usize>(count);
  const text = new Uint8Array(load<i32>(scratch + 4));
  if (args_get(changetype<usize>(pointers), text.dataStart) != 0) fail('the arguments cannot be read');
  const result: string[] = [];
  for (let i = 1; i < count; i++) result.push(String.UTF8.decodeUnsafe(pointers[i], text.length, true));
  return result;
}

export function readInput(name: string): Uint8Array {
  const file = open(INPUT, Uint8Array.wrap(String.UTF8.encode(name)), 0, RIGHT_TO_READ);
  if (fd_filestat_get(file, scratch) != 0) fail('the size of ' + name + ' is unknown');
  const bytes = new Uint8Array(<i32>load<u64>(scratch + SIZE_IN_FILESTAT));
  for (let done = 0; done < bytes.length;) {
    store<usize>(scratch, bytes.dataStart + done);
    store<i32>(scratch + 4, bytes.length - done);
    if (fd_read(file, scratch, 1, scratch + 8) != 0) fail(name + ' cannot be read');
    const read = load<i32>(scratch + 8);
    if (read == 0) fail(name + ' ends early');
    done += read;
  }
  fd_close(file);
  return bytes;
}

export function writeOutput(name: string, at: usize, length: i32): void {
  writeFile(OUTPUT, Uint8Array.wrap(String.UTF8.encode(name)), at, length);
}

// Names are made once: nothing gives memory back, and a program may keep its state very often.
const latest = Uint8Array.wrap(String.UTF8.encode('latest'));
const next = Uint8Array.wrap(String.UTF8.encode('next'));
const stop = Uint8Array.wrap(String.UTF8.encode('stop'));

/** False when the program begins. */
export function readCheckpoint(at: usize, length: i32): bool {
  if (path_filestat_get(CHECKPOINT, 0, latest.dataStart, latest.length, scratch) != 0) return false;
  const file = open(CHECKPOINT, latest, 0, RIGHT_TO_READ);
  store<usize>(scratch, at);
  store<i32>(scratch + 4, length);
  const error = fd_read(file, scratch, 1, scratch + 8);
  fd_close(file);
  return error == 0 && load<i32>(scratch + 8) == length;
}

/** A checkpoint gets its name when it is complete. */
export function keepCheckpoint(at: usize, length: i32): void {
  writeFile(CHECKPOINT, next, at, length);
  const to = latest.dataStart;
  const error = path_rename(CHECKPOINT, next.dataStart, next.length, CHECKPOINT, to, latest.length);
  if (error != 0) fail('the state cannot be kept: ' + error.toString());
}

/** Whether the program has to end soon: it may keep its state once more. */
export function isToStop(): bool {
  return path_filestat_get(CHECKPOINT, 0, stop.dataStart, stop.length, scratch) == 0;
}

function writeFile(folder: i32, name: Uint8Array, at: usize, length: i32): void {
  const file = open(folder, name, CREATE_AND_TRUNCATE, RIGHT_TO_WRITE);
  for (let done = 0; done < length;) {
    store<usize>(scratch, at + done);
    store<i32>(scratch + 4, length - done);
    if (fd_write(file, scratch, 1, scratch + 8) != 0) fail(nameOf(name) + ' cannot be written');
    done += load<i32>(scratch + 8);
  }
  fd_close(file);
}

function open(folder: i32, name: Uint8Array, flags: i32, rights: i64): i32 {
  const result = path_open(folder, 0, name.dataStart, name.length, flags, rights, 0, 0, scratch);
  if (result != 0) fail(nameOf(name) + ' cannot be opened: ' + result.toString());
  return load<i32>(scratch);
}

function nameOf(name: Uint8Array): string {
  return String.UTF8.decodeUnsafe(name.dataStart, name.length);
}
