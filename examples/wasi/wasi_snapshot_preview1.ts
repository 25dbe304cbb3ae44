/** The compiler takes the name of this file as the name of the module that the functions are imported from. */

export declare function args_sizes_get(count: usize, size: usize): i32;
export declare function args_get(pointers: usize, text: usize): i32;
export declare function path_open(
  folder: i32,
  lookup: i32,
  path: usize,
  pathLength: i32,
  flags: i32,
  rights: i64,
  inheriting: i64,
  fileFlags: i32,
  opened: usize,
): i32;
export declare function fd_filestat_get(file: i32, stat: usize): i32;
export declare function fd_read(file: i32, vectors: usize, count: i32, read: usize): i32;
export declare function fd_write(file: i32, vectors: usize, count: i32, written: usize): i32;
export declare function fd_close(file: i32): i32;
export declare function proc_exit(code: i32): void;
export declare function path_filestat_get(
  folder: i32,
  lookup: i32,
  path: usize,
  pathLength: i32,
  stat: usize,
): i32;
export declare function path_rename(
  folder: i32,
  path: usize,
  pathLength: i32,
  toFolder: i32,
  toPath: usize,
  toPathLength: i32,
): i32;
