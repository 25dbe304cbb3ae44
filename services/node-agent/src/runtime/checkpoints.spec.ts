import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import type { Assignment } from '@astro/messages/agent';
import type { FinishedRun } from '../sandbox/program-run.js';
import { type Source, type Subject, subjectsHere } from './subjects.fixture.js';
import type { Follower, LogSource } from './task-runtime.js';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(120_000);

const LIMITS = { timeLimitMs: 60_000, memoryLimitMib: 64, outputLimitBytes: 1_000 };
const SIZE_LIMIT_BYTES = 1_000;
const { subjects } = await subjectsHere();

afterAll(async () => {
  for (const subject of subjects) await subject.close();
});

/** Hears of every checkpoint, one after the other. */
class Listener implements Follower {
  readonly stop = new AbortController();
  readonly notice = this.stop.signal;
  readonly kept: string[] = [];
  readonly written = { stdout: '', stderr: '' };
  readonly #isLast: (text: string) => void;

  constructor(isLast: (text: string) => void = () => undefined) {
    this.#isLast = isLast;
  }

  write(source: LogSource, bytes: Uint8Array): void {
    this.written[source] += new TextDecoder().decode(bytes);
  }

  keep(bytes: Uint8Array): Promise<void> {
    const text = new TextDecoder().decode(bytes).trim();
    this.kept.push(text);
    this.#isLast(text);
    return Promise.resolve();
  }

  untilNext(): Promise<void> {
    return Promise.resolve();
  }
}

type Options = {
  readonly checkpoint?: string;
  readonly signal?: AbortSignal;
  readonly changes?: Partial<Assignment>;
};

async function run(
  subject: Subject,
  source: Source,
  follower: Follower,
  { checkpoint, signal = new AbortController().signal, changes }: Options = {},
): Promise<FinishedRun> {
  const { bytes, args, program } = await subject.ready(source);
  const assignment: Assignment = {
    ...{ poolId: 'main', leaseId: 'lease_1', jobId: 'job_1', taskId: 'task_1', fencingToken: 1 },
    ...{ deadline: new Date(0), inputs: [], args, attestations: [] },
    program: { ...program, ...LIMITS },
    checkpoints: { everyMs: 1_000, sizeLimitBytes: SIZE_LIMIT_BYTES },
    ...changes,
  };
  const files = { program: bytes, inputs: [] };
  const kept = checkpoint === undefined ? {} : { checkpoint: new TextEncoder().encode(checkpoint) };
  return subject.runtime.run(assignment, { ...files, ...kept }, signal, follower);
}

const text = ({ outputs }: FinishedRun, name: string) =>
  new TextDecoder().decode(outputs.find(output => output.name === name)?.bytes).trim();

/** Continues from the number that it kept, and says where it began. */
const counting: Source = {
  sh: `n=$(cat /checkpoint/latest 2>/dev/null || echo 0); echo $n > /output/from
       for _ in 1 2 3; do n=$((n + 1)); echo $n > /checkpoint/next
       mv /checkpoint/next /checkpoint/latest; sleep 0.3; done`,
  wasm: `const had = new Uint8Array(8);
         const file = open(CHECKPOINT, "latest");
         let n: i32 = file > 0 && read(file, had) > 0 ? had[0] - 48 : 0;
         output("from", utf8(n.toString()));
         for (let i = 0; i < 3; i++) { n++; keep(utf8(n.toString())); }`,
};

/** Keeps "begun", and "last" once it is told to end. */
const obedient: Source = {
  sh: `keep() { echo $1 > /checkpoint/next; mv /checkpoint/next /checkpoint/latest; }
       trap 'keep last; exit 1' TERM; keep begun; while :; do sleep 0.1; done`,
  wasm: `keep(utf8("begun")); while (!isToStop()) {} keep(utf8("last")); proc_exit(1);`,
};

describe.each(subjects)('$title', subject => {
  test('a program begins without a checkpoint, and what it kept last is taken', async () => {
    const listener = new Listener();
    const finished = await run(subject, counting, listener);
    expect([finished.fault, text(finished, 'from')]).toEqual(['none', '0']);
    expect(listener.kept.at(-1)).toBe('3');
  });

  test('a program continues from the checkpoint that it is given', async () => {
    const listener = new Listener();
    const finished = await run(subject, counting, listener, { checkpoint: '5' });
    expect([finished.fault, text(finished, 'from')]).toEqual(['none', '5']);
    expect(listener.kept.at(-1)).toBe('8');
  });

  test('a program that is told to end keeps its state once more', async () => {
    const listener: Listener = new Listener(kept => {
      if (kept === 'begun') listener.stop.abort();
    });
    const { fault } = await run(subject, obedient, listener);
    expect([fault, listener.kept.at(-1)]).toEqual(['program_trapped', 'last']);
  });

  test('a program that is ended has kept what it finished until then', async () => {
    const stop = new AbortController();
    const listener = new Listener(() => stop.abort(new Error('the deadline has passed')));
    const source = {
      sh: `echo half > /checkpoint/next; mv /checkpoint/next /checkpoint/latest; trap '' TERM; while :; do :; done`,
      wasm: `keep(utf8("half")); while (true) {}`,
    };
    await expect(run(subject, source, listener, { signal: stop.signal })).rejects.toThrow(
      'the deadline has passed',
    );
    expect(listener.kept).toEqual(['half']);
  });

  test('what is too large is no checkpoint, and one after the other needs no more room than two', async () => {
    const listener = new Listener();
    const source = {
      sh: `for n in 1 2 3 4 5 6; do printf '%900s' $n > /checkpoint/next
             mv /checkpoint/next /checkpoint/latest; sleep 0.2; done
           printf '%1001s' x > /checkpoint/next; mv /checkpoint/next /checkpoint/latest; sleep 0.2`,
      wasm: `const state = new Uint8Array(900); state.fill(32);
             for (let n = 1; n <= 80; n++) { state[899] = 48 + n % 10; keep(state); }
             const large = new Uint8Array(1001); keep(large);`,
    };
    const { fault } = await run(subject, source, listener);
    expect(fault).toBe('none');
    expect(listener.kept.at(-1)).toBe(subject.runtime.kind === 'wasm' ? '0' : '6');
  });

  test('what a program writes is heard while it runs', async () => {
    const stop = new AbortController();
    const listener = new Listener();
    const source = {
      sh: 'echo one; echo two >&2; while :; do sleep 0.1; done',
      wasm: 'write(1, utf8("one\\n")); write(2, utf8("two\\n")); while (true) {}',
    };
    const running = run(subject, source, listener, { signal: stop.signal });
    const stopped = expect(running).rejects.toThrow('heard');
    while (listener.written.stdout === '' || listener.written.stderr === '') await sleep(20);
    stop.abort(new Error('heard'));
    await stopped;
    expect(listener.written).toEqual({ stdout: 'one\n', stderr: 'two\n' });
  });

  test('a program of a job without checkpoints finds no such folder', async () => {
    const source = {
      sh: 'ls / > /output/folders',
      wasm: 'output("folders", utf8(open(CHECKPOINT, "x", CREATE) > 0 ? "checkpoint" : "none"));',
    };
    const { bytes, args, program } = await subject.ready(source);
    const assignment: Assignment = {
      ...{ poolId: 'main', leaseId: 'lease_1', jobId: 'job_1', taskId: 'task_1', fencingToken: 1 },
      ...{ deadline: new Date(0), inputs: [], args, attestations: [] },
      program: { ...program, ...LIMITS },
    };
    const finished = await subject.runtime.run(
      assignment,
      { program: bytes, inputs: [] },
      new AbortController().signal,
    );
    expect(text(finished, 'folders')).not.toContain('checkpoint');
  });
});

test.each(subjects.filter(({ runtime }) => runtime.kind !== 'wasm'))(
  'a checkpoint that is a link or a pipe is none: $title',
  async subject => {
    const listener = new Listener();
    const sh = `ln -s ${subject.stateDir}/identity.json /checkpoint/latest; sleep 0.5; rm /checkpoint/latest
                mkfifo /checkpoint/latest; sleep 0.5`;
    expect((await run(subject, { sh, wasm: '' }, listener)).fault).toBe('none');
    await sleep(1);
    expect(listener.kept).toEqual([]);
  },
);
