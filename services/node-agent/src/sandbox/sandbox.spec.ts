import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { compileProgram } from './assembly-script.fixture.js';
import type { FinishedRun, NamedBytes, ProgramLimits } from './program-run.js';
import { Sandbox } from './sandbox.js';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(60_000);

const LIMITS: ProgramLimits = { timeLimitMs: 20_000, memoryLimitMib: 4, outputLimitBytes: 1_000 };
const sandbox = new Sandbox();

afterAll(() => sandbox.close());

type Options = {
  readonly inputs?: readonly NamedBytes[];
  readonly args?: readonly string[];
  readonly limits?: Partial<ProgramLimits>;
  readonly seed?: string;
  readonly signal?: AbortSignal;
};

function execute(program: Uint8Array, options: Options = {}): Promise<FinishedRun> {
  const { inputs = [], args = [], limits = {}, seed = 'task_1' } = options;
  const signal = options.signal ?? new AbortController().signal;
  return sandbox.run({ program, inputs, args, seed, limits: { ...LIMITS, ...limits } }, signal);
}

const run = async (source: string, options?: Options) => execute(await compileProgram(source), options);
const bytesOf = (text: string) => new TextEncoder().encode(text);
const named = (name: string, text: string): NamedBytes => ({ name, bytes: bytesOf(text) });
const text = ({ outputs }: FinishedRun, name: string) =>
  new TextDecoder().decode(outputs.find(output => output.name === name)?.bytes);

describe('a program', () => {
  test('reads its inputs and arguments and writes its outputs', async () => {
    const finished = await run(
      `const data = new Uint8Array(5);
       read(open(INPUT, "greeting", 0, 2), data);
       output("b", data);
       args_sizes_get(cell, cell + 4);
       const pointers = new StaticArray<usize>(load<i32>(cell));
       const text = new Uint8Array(load<i32>(cell + 4));
       args_get(changetype<usize>(pointers), text.dataStart);
       output("a", text);`,
      { inputs: [named('greeting', 'hello')], args: ['-x', 'é'] },
    );
    expect(finished.fault).toBe('none');
    expect(finished.outputs.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(text(finished, 'b')).toBe('hello');
    expect(text(finished, 'a')).toBe('program\0-x\0é\0');
  });

  test('that does nothing succeeds without outputs', async () => {
    expect(await run('')).toEqual({ fault: 'none', outputs: [], stdoutTail: '', stderrTail: '' });
  });

  test.each([
    ['ends with exit code 0', 'output("a", utf8("x")); proc_exit(0);', 'none', 1],
    ['ends with exit code 3', 'output("a", utf8("x")); proc_exit(3);', 'program_trapped', 0],
    ['traps', 'output("a", utf8("x")); unreachable();', 'program_trapped', 0],
    ['recurses without end', 'function f(n: i32): i32 { return f(n + 1) + 1; } f(0);', 'program_trapped', 0],
    ['gives the host a wild pointer', 'fd_write(1, 0xffff0000, 7, 0);', 'program_trapped', 0],
  ])('that %s', async (_, source, fault, outputs) => {
    const finished = await run(source);
    expect(finished.fault).toBe(fault);
    expect(finished.outputs).toHaveLength(outputs);
  });

  test('keeps only the end of what it prints, and prints nothing into its result', async () => {
    const { stdoutTail, stderrTail, outputs } = await run(
      `for (let i = 0; i < 5000; i++) write(1, utf8(i.toString() + " "));
       write(2, utf8("warning"));`,
      { limits: { memoryLimitMib: 16 } },
    );
    expect(stdoutTail.length).toBe(8 * 1024);
    expect(stdoutTail.endsWith('4998 4999 ')).toBe(true);
    expect(stderrTail).toBe('warning');
    expect(outputs).toEqual([]);
  });
});

describe('the same run gives the same bytes', () => {
  const source = `
    const random = new Uint8Array(64);
    random_get(random.dataStart, 64);
    output("random", random);
    const time = new Uint8Array(8);
    clock_time_get(0, 0, time.dataStart);
    output("time", time);`;

  test('twice, also where it asks for random numbers and the time', async () => {
    const [first, second] = [await run(source), await run(source)];
    expect(first).toEqual(second);
    expect(text(first, 'time')).toBe('\0'.repeat(8));
    expect(new Set(first.outputs[0]!.bytes).size).toBeGreaterThan(32);
  });

  test('while another task gets other random numbers', async () => {
    const [first, second] = [await run(source), await run(source, { seed: 'task_2' })];
    expect(first.outputs[0]).not.toEqual(second.outputs[0]);
    expect(first.outputs[1]).toEqual(second.outputs[1]);
  });
});

describe('the limits', () => {
  test('an endless loop ends at the time limit', async () => {
    const { fault } = await run('while (true) {}', { limits: { timeLimitMs: 100 } });
    expect(fault).toBe('program_timed_out');
  });

  test('a stop from outside ends an endless loop, and the reason reaches the caller', async () => {
    const stop = new AbortController();
    const program = await compileProgram('while (true) {}');
    const running = execute(program, { signal: stop.signal });
    setTimeout(() => stop.abort(new Error('the lease was revoked')), 20);
    await expect(running).rejects.toThrow('the lease was revoked');
    await expect(execute(program, { signal: stop.signal })).rejects.toThrow('the lease was revoked');
  });

  test.each([
    ['page by page', 'while (memory.grow(1) >= 0) {} unreachable();'],
    ['all at once, far beyond the limit', 'if (memory.grow(30000) < 0) proc_exit(1);'],
    ['through an allocator', 'const all: Uint8Array[] = []; while (true) all.push(new Uint8Array(100000));'],
  ])('memory that grows too far, %s', async (_, source) => {
    expect((await run(source)).fault).toBe('program_out_of_memory');
  });

  test('a program that is refused memory and does without it succeeds', async () => {
    const finished = await run('if (memory.grow(30000) < 0) output("a", utf8("refused"));');
    expect([finished.fault, text(finished, 'a')]).toEqual(['none', 'refused']);
  });

  test('a program may use all of the memory that it was given', async () => {
    const source = 'if (memory.grow(64 - memory.size()) < 0) unreachable(); store<u8>(64 * 65536 - 1, 1);';
    expect((await run(source)).fault).toBe('none');
    expect((await run(source, { limits: { memoryLimitMib: 3 } })).fault).toBe('program_out_of_memory');
  });

  test('a memory that starts above the limit', async () => {
    const program = await compileProgram('', ['--initialMemory', '100']);
    expect((await execute(program)).fault).toBe('program_out_of_memory');
  });

  test.each([
    [
      'one write too many',
      'const file = open(OUTPUT, "a", CREATE); while (true) write(file, new Uint8Array(7));',
    ],
    ['two files together', 'output("a", new Uint8Array(600)); output("b", new Uint8Array(401));'],
    ['a write far behind the end', 'fd_pwrite(open(OUTPUT, "a", CREATE), cell, 1, 1 << 40, cell + 32);'],
    ['a size set without writing', 'fd_filestat_set_size(open(OUTPUT, "a", CREATE), 1 << 30);'],
    ['an allocation', 'fd_allocate(open(OUTPUT, "a", CREATE), 0, 1 << 30);'],
    ['too many files', 'for (let i = 0; i < 1000; i++) open(OUTPUT, i.toString(), CREATE);'],
    [
      'files deleted as fast as they are written',
      `while (true) {
         write(open(OUTPUT, "a", CREATE), new Uint8Array(99));
         path_unlink_file(OUTPUT, utf8("a").dataStart, 1);
       }`,
    ],
  ])('outputs that are too large: %s', async (_, source) => {
    const vectors = 'store<usize>(cell, cell + 40); store<i32>(cell + 4, 8);';
    const finished = await run(vectors + source, { limits: { memoryLimitMib: 64 } });
    expect(finished.fault).toBe('output_too_large');
    expect(finished.outputs).toEqual([]);
  });

  test('outputs may be as large as the limit', async () => {
    const { fault, outputs } = await run(
      'output("a", new Uint8Array(600)); output("b", new Uint8Array(400));',
    );
    expect([fault, ...outputs.map(({ bytes }) => bytes.length)]).toEqual(['none', 600, 400]);
  });

  test('a file that is truncated and written again counts as it is', async () => {
    const finished = await run(
      `for (let i = 0; i < 20; i++) write(open(OUTPUT, "a", CREATE | TRUNCATE), new Uint8Array(500));
       fd_filestat_set_size(open(OUTPUT, "a"), 900);`,
    );
    expect(finished.fault).toBe('none');
    expect(finished.outputs[0]!.bytes).toEqual(new Uint8Array(900));
  });

  test('a file may be written under another name and moved, as often as the program likes', async () => {
    const finished = await run(
      `output("a", utf8("moved"));
       for (let i = 0; i < 50; i++) {
         path_rename(OUTPUT, utf8("a").dataStart, 1, OUTPUT, utf8("b").dataStart, 1);
         path_rename(OUTPUT, utf8("b").dataStart, 1, OUTPUT, utf8("a").dataStart, 1);
       }`,
    );
    expect([finished.fault, text(finished, 'a')]).toEqual(['none', 'moved']);
  });

  test.each([
    ['a folder', 'path_create_directory(OUTPUT, utf8("folder").dataStart, 6) == 0 ? 0 : -1'],
    ['a hidden file', 'open(OUTPUT, ".hidden", CREATE)'],
    ['a name that is no plain name', 'open(OUTPUT, "a b", CREATE)'],
    ['a name that is too long', 'open(OUTPUT, "x".repeat(65), CREATE)'],
    [
      'a file moved to such a name',
      'path_rename(OUTPUT, utf8("a").dataStart, 1, OUTPUT, utf8("é").dataStart, 2) == 0 ? 0 : -1',
    ],
  ])('there are only files with plain names among the outputs, not %s', async (_, attempt) => {
    const finished = await run(
      `output("a", utf8("x"));
       const result: i32 = ${attempt};
       output("./b", utf8(result < 0 ? "refused" : "done"));`,
    );
    expect([finished.fault, text(finished, 'b')]).toEqual(['none', 'refused']);
    expect(finished.outputs.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('files that are left open cannot be without number', async () => {
    const finished = await run(
      `output("a", utf8("x"));
       let opened = 0;
       while (open(OUTPUT, "a") >= 0) opened++;
       output("b", utf8(opened.toString()));`,
    );
    expect(finished.fault).toBe('none');
    expect(Number(text(finished, 'b'))).toBeLessThan(256);
  });
});

describe('there is no way out', () => {
  test.each([
    ['an absolute path', 'open(INPUT, "/etc/passwd")'],
    ['a path that climbs', 'open(OUTPUT, "../../etc/passwd")'],
    ['a path that climbs from below', 'open(INPUT, "a/../../etc/passwd")'],
    ['from one folder into the other', 'open(OUTPUT, "../input/secret")'],
    ['creating a file outside', 'open(OUTPUT, "../x", CREATE)'],
    ['a folder that is not open', 'open(5, "a")'],
    ['changing an input', 'open(INPUT, "secret", TRUNCATE)'],
    ['writing an input', 'write(open(INPUT, "secret", 0, 2), utf8("x")) == 0 ? 0 : -1'],
    ['extending an input', 'fd_filestat_set_size(open(INPUT, "secret", 0, 2), 9) == 0 ? 0 : -1'],
    ['allocating in an input', 'fd_allocate(open(INPUT, "secret", 0, 2), 0, 9) == 0 ? 0 : -1'],
    ['adding an input', 'open(INPUT, "new", CREATE)'],
    ['removing an input', 'path_unlink_file(INPUT, utf8("secret").dataStart, 6) == 0 ? 0 : -1'],
    ['adding an input folder', 'path_create_directory(INPUT, utf8("secrets").dataStart, 7) == 0 ? 0 : -1'],
    [
      'moving an input',
      'path_rename(INPUT, utf8("secret").dataStart, 6, OUTPUT, utf8("s").dataStart, 1) == 0 ? 0 : -1',
    ],
    ['sending on a socket', 'sock_send(3, cell, 1, 0, cell) == 0 ? 0 : -1'],
  ])('%s', async (_, attempt) => {
    const finished = await run(
      `const result: i32 = ${attempt};
       output("result", utf8(result < 0 ? "refused" : "done"));
       const data = new Uint8Array(10);
       const length = read(open(INPUT, "secret", 0, 2), data);
       output("secret", data.subarray(0, length));`,
      { inputs: [named('secret', 'secret')] },
    );
    expect([finished.fault, text(finished, 'result'), text(finished, 'secret')]).toEqual([
      'none',
      'refused',
      'secret',
    ]);
  });

  test('an input that is linked among the outputs counts as an output', async () => {
    const source = 'path_link(INPUT, 0, utf8("a").dataStart, 1, OUTPUT, utf8("b").dataStart, 1);';
    const small = await run(source, { inputs: [named('a', 'small')] });
    expect([small.fault, text(small, 'b')]).toEqual(['none', 'small']);
    const large = await run(source, { inputs: [named('a', 'x'.repeat(1_001))] });
    expect(large.fault).toBe('output_too_large');
  });
});

describe('what is not a program', () => {
  const foreign = (module: string, name: string) =>
    compileProgram(`@external("${module}", "${name}") declare function foreign(): void; foreign();`);

  test.each([
    ['no bytes', async () => new Uint8Array(0)],
    ['bytes of something else', async () => bytesOf('#!/bin/sh\nexit 0\n')],
    ['a module that is cut off', async () => (await compileProgram('')).subarray(0, -1)],
    [
      'a module with a byte changed',
      async () => (await compileProgram('')).map((b, at) => (at === 12 ? 255 : b)),
    ],
    ['an import from the host language', () => foreign('env', 'process')],
    ['an import that WASI does not have', () => foreign('wasi_snapshot_preview1', 'exec')],
    ['an import from an older WASI', () => foreign('wasi_unstable', 'sched_yield')],
    ['a memory that is imported', () => compileProgram('', ['--importMemory'])],
    [
      'a memory that is shared',
      () => compileProgram('', ['--enable', 'threads', '--sharedMemory', '--maximumMemory', '9']),
    ],
    ['a module without a start', () => compileProgram('', ['--exportStart', 'main'])],
  ])('%s', async (_, build) => {
    expect(await execute(await build())).toMatchObject({ fault: 'program_invalid', outputs: [] });
  });
});
