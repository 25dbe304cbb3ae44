import { readdir, readFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Assignment } from '@astro/messages/agent';
import type { Program } from '@astro/messages/scheduling';
import { canReachPorts, ProgramPort } from '../endpoint/program-port.js';
import { REFUSED_CALLS } from '../process/syscalls.js';
import { agentTag } from '../runs/run-folders.js';
import type { FinishedRun, NamedBytes } from '../sandbox/program-run.js';
import { pageAt, serving } from './serving.fixture.js';
import { type Source, type Subject, subjectsHere } from './subjects.fixture.js';
import { PROCESSES_MAX } from './task-runtime.js';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(120_000);

const LIMITS = { timeLimitMs: 60_000, memoryLimitMib: 64, outputLimitBytes: 1_000 };
const { subjects, missing } = await subjectsHere();

/** Nobody may come here from a sandbox. */
let server: Server;
let port: number;
const visits: string[] = [];

beforeAll(async () => {
  server = createServer(socket => {
    visits.push(String(socket.remoteAddress));
    socket.destroy();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterAll(async () => {
  server.close();
  for (const subject of subjects) await subject.close();
});

type Options = {
  readonly limits?: Partial<Program>;
  readonly inputs?: readonly NamedBytes[];
  readonly args?: readonly string[];
  readonly signal?: AbortSignal;
};

async function run(subject: Subject, source: Source, options: Options = {}): Promise<FinishedRun> {
  const { limits = {}, inputs = [], signal = new AbortController().signal } = options;
  const { bytes, args, program } = await subject.ready(source, options.args);
  const assignment = assignmentOf({ ...program, ...LIMITS, ...limits }, args);
  return subject.runtime.run(assignment, { program: bytes, inputs }, signal);
}

const assignmentOf = (program: Program, args: readonly string[]): Assignment => ({
  poolId: 'main',
  leaseId: 'lease_1',
  jobId: 'job_1',
  taskId: 'task_1',
  fencingToken: 1,
  deadline: new Date(0),
  program,
  inputs: [],
  args,
  attestations: [],
});

const bytesOf = (text: string) => new TextEncoder().encode(text);
const text = ({ outputs }: FinishedRun, name: string) =>
  new TextDecoder().decode(outputs.find(output => output.name === name)?.bytes).trim();

/** Says in its output whether a command succeeded, or whether a call answered something that is not below zero. */
const trying = (command: string, call: string): Source => ({
  sh: `if (${command}) 2>/dev/null; then echo done; else echo refused; fi > /output/result`,
  wasm: `const answer: i32 = ${call}; output("result", utf8(answer < 0 ? "refused" : "done"));`,
});

test('what is not available here says why, and what to do about it', () => {
  for (const { reason } of missing) expect(reason).toMatch(/\w+ \w+/);
  expect(subjects.map(({ title }) => title)).toContain('wasm');
});

describe.each(subjects)('$title', subject => {
  describe('runs a program', () => {
    test('with inputs and arguments, and takes its outputs', async () => {
      const finished = await run(
        subject,
        {
          sh: 'cat /input/greeting > /output/b; printf %s "$1" > /output/a; [ $# = 1 ]',
          wasm: `const data = new Uint8Array(5);
            read(open(INPUT, "greeting", 0, 2), data);
            output("b", data);
            args_sizes_get(cell, cell + 4);
            const pointers = new StaticArray<usize>(load<i32>(cell));
            const text = new Uint8Array(load<i32>(cell + 4));
            args_get(changetype<usize>(pointers), text.dataStart);
            output("a", text.subarray(8, 12));`,
        },
        { inputs: [{ name: 'greeting', bytes: bytesOf('hello') }], args: ['x é'] },
      );
      expect(finished.fault).toBe('none');
      expect(finished.outputs.map(({ name }) => name)).toEqual(['a', 'b']);
      expect([text(finished, 'a'), text(finished, 'b')]).toEqual(['x é', 'hello']);
    });

    test.each([
      ['0', 'none', 1],
      ['3', 'program_trapped', 0],
    ])('whose exit code is %s: %s', async (code, fault, outputs) => {
      const source = {
        sh: `echo x > /output/a; exit ${code}`,
        wasm: `output("a", utf8("x")); proc_exit(${code});`,
      };
      const finished = await run(subject, source);
      expect([finished.fault, finished.outputs.length]).toEqual([fault, outputs]);
    });

    test('and keeps only the end of what it prints', async () => {
      const { stdoutTail, stderrTail, outputs } = await run(subject, {
        sh: 'seq 0 4999; echo warning >&2',
        wasm: `for (let i = 0; i < 5000; i++) write(1, utf8(i.toString() + "\\n")); write(2, utf8("warning"));`,
      });
      expect(stdoutTail.length).toBeGreaterThan(4_000);
      expect(stdoutTail.length).toBeLessThanOrEqual(8 * 1024);
      expect(stdoutTail.trim().endsWith('4998\n4999')).toBe(true);
      expect([stderrTail.trim(), outputs]).toEqual(['warning', []]);
    });
  });

  describe('keeps from it', () => {
    const stateFile = `${subject.stateDir}/identity.json`;
    test.each([
      ['the passwords of the machine', 'cat /etc/shadow', 'open(INPUT, "/etc/shadow")'],
      ["the agent's state", `cat ${stateFile}`, `open(INPUT, "${stateFile}")`],
      ["the agent's code", `ls ${process.cwd()}`, `open(INPUT, "${process.cwd()}")`],
      ['what is above its folders', 'cat /input/../../etc/shadow', 'open(INPUT, "../../etc/shadow")'],
      ['changing an input', 'echo x > /input/secret', 'open(INPUT, "secret", TRUNCATE)'],
      ['adding an input', 'touch /input/more', 'open(INPUT, "more", CREATE)'],
      ['writing elsewhere', 'touch /x || touch /bin/x || touch /dev/x', 'open(INPUT, "/x", CREATE)'],
      ["the agent's process", `ls /proc/${process.pid}`, `open(INPUT, "/proc/${process.pid}")`],
      ["the machine's disk", 'head -c 1 /dev/vda || head -c 1 /dev/sda', 'open(INPUT, "/dev/vda")'],
    ])('%s', async (_, command, call) => {
      const inputs = [{ name: 'secret', bytes: bytesOf('secret') }];
      const finished = await run(subject, trying(command, call), { inputs });
      expect([finished.fault, text(finished, 'result')]).toEqual(['none', 'refused']);
    });

    test('what its outputs lead to', async () => {
      const { fault, outputs } = await run(subject, {
        sh: `ln -s ${stateFile} /output/link; ln -s /proc/self/environ /output/own; mkfifo /output/pipe
             mkdir -p /output/folder/more; echo x > /output/folder/more/file; echo x > /output/plain
             chmod 0 /output/plain; true`,
        wasm: `path_symlink(utf8("${stateFile}").dataStart, ${stateFile.length}, OUTPUT, utf8("link").dataStart, 4);
               path_create_directory(OUTPUT, utf8("folder").dataStart, 6);
               output("plain", utf8("x"));`,
      });
      expect([fault, outputs.map(({ name }) => name)]).toEqual(['none', ['plain']]);
    });
  });

  describe('ends a program', () => {
    test('whose time is over', async () => {
      const endless = { sh: 'while :; do :; done', wasm: 'while (true) {}' };
      const { fault } = await run(subject, endless, { limits: { timeLimitMs: 1_000 } });
      expect(fault).toBe('program_timed_out');
    });

    test('that is to stop, whether it wants to or not', async () => {
      const stop = new AbortController();
      const endless = { sh: "trap '' TERM; while :; do :; done", wasm: 'while (true) {}' };
      const running = run(subject, endless, { signal: stop.signal });
      setTimeout(() => stop.abort(new Error('the lease was revoked')), 1_000);
      await expect(running).rejects.toThrow('the lease was revoked');
    });

    test('that uses more memory than it was given', async () => {
      const { fault } = await run(subject, {
        sh: 'dd if=/dev/zero of=/dev/null bs=300M count=1',
        wasm: 'const all: Uint8Array[] = []; while (true) all.push(new Uint8Array(1 << 20));',
      });
      // Without a group the kernel only refuses, and what a program makes of that is its own.
      const isRefused = subject.title === 'process, limited each';
      expect(fault).toBe(isRefused ? 'program_trapped' : 'program_out_of_memory');
    });

    test.each([
      [
        'one large file',
        'dd if=/dev/zero of=/output/a bs=1000 count=100000; sleep 1',
        'while (true) write(file, new Uint8Array(7));',
      ],
      [
        'a file of nothing',
        'dd if=/dev/zero of=/output/a bs=1 count=0 seek=100000; sleep 1',
        'fd_filestat_set_size(file, 1 << 30);',
      ],
      [
        'many small files',
        'for n in $(seq 1 100); do echo > /output/$n; done',
        'for (let i = 0; i < 100; i++) open(OUTPUT, i.toString(), CREATE);',
      ],
    ])('that writes too much: %s', async (_, sh, wasm) => {
      const source = { sh, wasm: `const file = open(OUTPUT, "a", CREATE); ${wasm}` };
      const finished = await run(subject, source);
      expect([finished.fault, finished.outputs]).toEqual(['output_too_large', []]);
    });
  });
});

test.each(subjects.filter(({ runtime }) => runtime.kind !== 'container'))(
  'what is no program is told: $title',
  async subject => {
    const { program, args } = await subject.ready({ sh: 'true', wasm: '' });
    const assignment = assignmentOf({ ...program, ...LIMITS }, args);
    const files = { program: bytesOf('neither'), inputs: [] };
    const { fault } = await subject.runtime.run(assignment, files, new AbortController().signal);
    expect(fault).toBe('program_invalid');
  },
);

const withShell = subjects.filter(({ runtime }) => runtime.kind !== 'wasm');

/** A command that succeeds when somebody answers; a script can call the system, an image brings a tool. */
function connecting({ runtime }: Subject, address: string, at: number): string {
  if (runtime.kind === 'container') return `nc -w 2 ${address} ${at} < /dev/null`;
  const connect = `connect($s, sockaddr_in(${at}, inet_aton("${address}")))`;
  return `perl -MSocket -e 'socket($s, PF_INET, SOCK_STREAM, 0) && ${connect} or exit 1'`;
}

describe.each(withShell)('$title, for what only real processes can try', subject => {
  test.each<readonly [string, (port: number) => string]>([
    ['the address of a cloud for its own machines', () => connecting(subject, '169.254.169.254', 80)],
    ["the machine's own services", at => connecting(subject, '127.0.0.1', at)],
    ["ending the agent's process", () => `kill -9 ${process.pid}`],
    ['a device of its own', () => 'mknod /tmp/disk b 8 0'],
    ['mounting', () => 'mount -t tmpfs none /tmp'],
    ['a namespace in which it is root', () => 'unshare -U true'],
    ['being root', () => '[ "$(id -u)" = 0 ]'],
    ['the settings of the kernel', () => 'true >> /proc/sys/kernel/core_pattern'],
    ['memory beyond its limit in /tmp', () => 'dd if=/dev/zero of=/tmp/a bs=1M count=200'],
    ['memory beyond its limit in /dev/shm', () => 'dd if=/dev/zero of=/dev/shm/a bs=1M count=200'],
  ])('it keeps from it: %s', async (_, commandOf) => {
    const finished = await run(subject, trying(commandOf(port), ''));
    // Who fills a file system in memory is refused, or is ended for it.
    const isEnded = finished.fault === 'program_out_of_memory' || finished.fault === 'program_trapped';
    if (!isEnded) expect([finished.fault, text(finished, 'result')]).toEqual(['none', 'refused']);
    expect(visits).toEqual([]);
  });

  test('it has no rights, cannot get any, and is filtered', async () => {
    const { stdoutTail } = await run(subject, { sh: 'cat /proc/self/status', wasm: '' });
    const status = new Map(stdoutTail.split('\n').map(line => line.split(/:\s+/) as [string, string]));
    const rights = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map(name => status.get(name));
    expect(new Set(rights)).toEqual(new Set(['0000000000000000']));
    expect([status.get('NoNewPrivs'), status.get('Seccomp')]).toEqual(['1', '2']);
  });

  test('it has no open file of the agent', async () => {
    const { stdoutTail } = await run(subject, { sh: 'cd /proc/self/fd && ls -l', wasm: '' });
    // Beside its streams there are its own text, the list itself, and nothing in place of what was left to the agent.
    const own = /^(\/dev\/null|\/program|\/proc\/\d+\/fd)$/;
    const targets = stdoutTail.split('\n').flatMap(line => /(?:[3-9]|\d\d+) -> (.+)$/.exec(line)?.[1] ?? []);
    expect(targets.filter(target => !own.test(target))).toEqual([]);
  });

  test('it has no more processes than it may', async () => {
    const sh = `n=0; ( while [ $n -lt 2000 ]; do sleep 60 & n=$((n + 1)); echo $n > /output/n; done ); exit 0`;
    const finished = await run(subject, { sh, wasm: '' }, { limits: { memoryLimitMib: 512 } });
    expect(finished.fault).toBe('none');
    expect(Number(text(finished, 'n'))).toBeGreaterThan(PROCESSES_MAX / 2);
    expect(Number(text(finished, 'n'))).toBeLessThanOrEqual(PROCESSES_MAX);
  });

  test('a bomb of processes ends with its time', async () => {
    const limits = { timeLimitMs: 2_000, memoryLimitMib: 512 };
    // The shell itself may find no room for another process: it waits without one.
    const sh = 'b() { b | b & }; b; while :; do :; done';
    const finished = await run(subject, { sh, wasm: '' }, { limits });
    expect(finished.fault).toBe('program_timed_out');
  });

  test('what a program leaves running ends with it', async () => {
    const sh = `(trap '' TERM HUP; while :; do sleep 1; done) > /dev/null 2>&1 & echo x > /output/a`;
    expect((await run(subject, { sh, wasm: '' })).fault).toBe('none');
  });

  afterEach(async () => {
    expect(await leftBehind(subject)).toEqual([]);
  });
});

const processes = subjects.filter(({ runtime }) => runtime.kind === 'process');

describe.each(processes)('$title', subject => {
  test('its filter refuses every call that it names', async () => {
    const column = process.arch === 'arm64' ? 1 : 0;
    const calls = Object.values(REFUSED_CALLS).flatMap(numbers => numbers[column] ?? []);
    const perl = 'for (@ARGV) { syscall($_, 0, 0, 0, 0, 0); print "$_ not refused\\n" if $! != 1 }';
    const { fault, stdoutTail } = await run(
      subject,
      { sh: `exec perl -e '${perl}' "$@"`, wasm: '' },
      {
        args: calls.map(String),
      },
    );
    expect([fault, stdoutTail]).toEqual(['none', '']);
  });

  test.each([
    ['the host of a virtual machine', 40],
    ['the cryptography of the kernel', 38],
    ['raw packets', 17],
  ])('its filter knows no socket to %s', async (_, family) => {
    const sh = `perl -e 'socket($s, ${family}, 1, 0) and exit 1; exit($! == 97 ? 0 : 2)'`;
    expect((await run(subject, { sh, wasm: '' })).fault).toBe('none');
  });
});

describe.each(subjects.filter(({ runtime }) => runtime.kind === 'container'))('$title', subject => {
  test('asks the engine for the devices that its lease holds', async () => {
    const { program, args } = await subject.ready({ sh: 'true', wasm: '' });
    const assignment = {
      ...assignmentOf({ ...program, ...LIMITS }, args),
      share: { cpuMillis: 100, devices: [1] },
    };
    const files = { program: new Uint8Array(), inputs: [] };
    // No engine here has such a driver: that it misses just this one shows what it was asked for.
    const running = subject.runtime.run(assignment, files, new AbortController().signal);
    await expect(running).rejects.toThrow(/"nvidia".*\[\[gpu\]\]/);
  });

  test('runs no image whose bytes are others', async () => {
    const { program, args } = await subject.ready({ sh: 'true', wasm: '' });
    const image = program.image!.replace(/.{4}$/, '0000');
    const assignment = assignmentOf({ ...program, image, ...LIMITS }, args);
    const files = { program: new Uint8Array(), inputs: [] };
    await expect(subject.runtime.run(assignment, files, new AbortController().signal)).rejects.toThrow();
  });
});

test.each(withShell)('a server is reached at its port, in a network of its own: $title', async subject => {
  // Only root may enter it; others do not offer servers.
  if (!(await canReachPorts())) return;
  const { bytes, args, program } = await subject.ready({ sh: serving, wasm: '' });
  const stop = new AbortController();
  let begin: (processId: number) => void = () => undefined;
  const begun = new Promise<number>(resolve => (begin = resolve));
  const running = subject.runtime.run(
    // It has no limit of time.
    assignmentOf({ ...program, ...LIMITS, timeLimitMs: 1 }, args),
    { program: bytes, inputs: [] },
    stop.signal,
    undefined,
    { port: 8_080, started: begin },
  );
  running.catch(() => undefined);
  try {
    const port = await ProgramPort.open(await begun, 8_080);
    const interfaces = [...(await pageAt(port)).matchAll(/^ *(\w+):[ \d]+$/gm)].map(([, name]) => name);
    await port.close();
    expect(interfaces).toEqual(['lo']);
  } finally {
    stop.abort(new Error('the lease was revoked'));
  }
  await expect(running).rejects.toThrow('the lease was revoked');
});

test.each(withShell)('a program that needs a network is not run without one: $title', async subject => {
  const running = run(subject, { sh: 'true', wasm: '' }, { limits: { needsNetwork: true } });
  await expect(running).rejects.toThrow('there is no network for programs here');
});

/** Processes, folders, groups and mounts of runs that are over. */
async function leftBehind({ stateDir, runtime }: Subject): Promise<readonly string[]> {
  const tag = agentTag(stateDir);
  const folder = join(tmpdir(), `astro-${runtime.kind}-${tag}`);
  const folders = (await readdir(folder)).filter(name => name !== 'syscall-filter');
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').filter(line => line.includes(tag));
  const groups: string[] = [];
  for (const controller of ['memory', 'pids', 'cpu', '']) {
    const parent = join('/sys/fs/cgroup', controller, `astro-${tag}`);
    const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
    groups.push(...entries.filter(entry => entry.isDirectory()).map(({ name }) => name));
  }
  return [...folders, ...mounts, ...groups, ...(await processesOfSandboxes())];
}

async function processesOfSandboxes(): Promise<readonly string[]> {
  const ids = (await readdir('/proc')).filter(name => /^\d+$/.test(name));
  const found = await Promise.all(
    ids.map(async id => {
      const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '');
      const userId = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]);
      const isOver = /^State:\s+Z/m.test(status);
      return (userId >= 2_000_000_000 || userId === 65_534) && !isOver ? [`process ${id}`] : [];
    }),
  );
  return found.flat();
}
