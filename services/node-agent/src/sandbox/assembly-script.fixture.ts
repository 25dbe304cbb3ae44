import asc from 'assemblyscript/asc';

/** The calls of WASI that the programs of the specs make, and a folder name for each opened folder. */
const PRELUDE = `
@external("wasi_snapshot_preview1", "path_open")
declare function path_open(folder: i32, lookup: i32, path: usize, length: i32, flags: i32,
  rights: i64, inheriting: i64, fileFlags: i32, opened: usize): i32;
@external("wasi_snapshot_preview1", "fd_read")
declare function fd_read(file: i32, vectors: usize, count: i32, read: usize): i32;
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(file: i32, vectors: usize, count: i32, written: usize): i32;
@external("wasi_snapshot_preview1", "fd_pwrite")
declare function fd_pwrite(file: i32, vectors: usize, count: i32, offset: i64, written: usize): i32;
@external("wasi_snapshot_preview1", "fd_filestat_set_size")
declare function fd_filestat_set_size(file: i32, size: i64): i32;
@external("wasi_snapshot_preview1", "fd_allocate")
declare function fd_allocate(file: i32, offset: i64, size: i64): i32;
@external("wasi_snapshot_preview1", "fd_close")
declare function fd_close(file: i32): i32;
@external("wasi_snapshot_preview1", "path_unlink_file")
declare function path_unlink_file(folder: i32, path: usize, length: i32): i32;
@external("wasi_snapshot_preview1", "path_rename")
declare function path_rename(folder: i32, path: usize, length: i32, to: i32, toPath: usize, toLength: i32): i32;
@external("wasi_snapshot_preview1", "path_link")
declare function path_link(folder: i32, lookup: i32, path: usize, length: i32,
  to: i32, toPath: usize, toLength: i32): i32;
@external("wasi_snapshot_preview1", "path_symlink")
declare function path_symlink(target: usize, targetLength: i32, folder: i32, path: usize, length: i32): i32;
@external("wasi_snapshot_preview1", "path_create_directory")
declare function path_create_directory(folder: i32, path: usize, length: i32): i32;
@external("wasi_snapshot_preview1", "random_get")
declare function random_get(at: usize, length: i32): i32;
@external("wasi_snapshot_preview1", "clock_time_get")
declare function clock_time_get(clock: i32, precision: i64, at: usize): i32;
@external("wasi_snapshot_preview1", "args_sizes_get")
declare function args_sizes_get(count: usize, size: usize): i32;
@external("wasi_snapshot_preview1", "args_get")
declare function args_get(pointers: usize, text: usize): i32;
@external("wasi_snapshot_preview1", "proc_exit")
declare function proc_exit(code: i32): void;
@external("wasi_snapshot_preview1", "sock_send")
declare function sock_send(file: i32, data: usize, count: i32, flags: i32, sent: usize): i32;

const INPUT = 3;
const OUTPUT = 4;
const CHECKPOINT = 5;
const CREATE = 1;
const TRUNCATE = 8;
const cell: usize = memory.data(64);
function abort(message: string | null, file: string | null, line: u32, column: u32): void { unreachable(); }
function utf8(text: string): Uint8Array { return Uint8Array.wrap(String.UTF8.encode(text)); }
/** The opened file, or the error number below zero. */
function open(folder: i32, name: string, flags: i32 = 0, rights: i64 = 2 | 64): i32 {
  const path = utf8(name);
  const error = path_open(folder, 0, path.dataStart, path.length, flags, rights, 0, 0, cell);
  return error == 0 ? load<i32>(cell) : -error;
}
function write(file: i32, bytes: Uint8Array): i32 {
  store<usize>(cell, bytes.dataStart);
  store<i32>(cell + 4, bytes.length);
  return fd_write(file, cell, 1, cell + 8);
}
function read(file: i32, bytes: Uint8Array): i32 {
  store<usize>(cell, bytes.dataStart);
  store<i32>(cell + 4, bytes.length);
  fd_read(file, cell, 1, cell + 8);
  return load<i32>(cell + 8);
}
function output(name: string, bytes: Uint8Array): void { write(open(OUTPUT, name, CREATE), bytes); }
/** Keeps the state of the program: whole or not at all. */
function keep(bytes: Uint8Array): i32 {
  const file = open(CHECKPOINT, "next", CREATE | TRUNCATE);
  write(file, bytes);
  fd_close(file);
  const next = utf8("next");
  const latest = utf8("latest");
  return path_rename(CHECKPOINT, next.dataStart, next.length, CHECKPOINT, latest.dataStart, latest.length);
}
const stop = utf8("stop");
function isToStop(): bool { return path_open(CHECKPOINT, 0, stop.dataStart, stop.length, 0, 2, 0, 0, cell) == 0; }
`;

/** A WebAssembly program whose `_start` runs these AssemblyScript statements after the prelude. */
export async function compileProgram(source: string, options: readonly string[] = []): Promise<Uint8Array> {
  let binary: Uint8Array | undefined;
  const stderr = asc.createMemoryStream();
  const { error } = await asc.main(
    ['program.ts', '--outFile', 'program.wasm', '--exportStart', '_start', '--runtime', 'stub']
      .concat(['-O1', '--use', 'abort=program/abort'])
      .concat(options),
    {
      readFile: name => (name === 'program.ts' ? PRELUDE + source : null),
      writeFile: (name, contents) => {
        if (name === 'program.wasm' && typeof contents !== 'string') binary = contents;
      },
      listFiles: () => [],
      stderr,
    },
  );
  if (error || !binary)
    throw new Error(`the program does not compile: ${stderr.toString()}`, { cause: error });
  return binary;
}
