import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a process holds, in MiB; its heap after the garbage was collected. */
export type Memory = { readonly rssMb: number; readonly heapMb: number };

export type Instance = {
  /** How many units of the work it has. */
  units(): Promise<number>;
  /** Begins what waits to be told. */
  start(): Promise<void>;
  memory(): Promise<Memory>;
  /** Messages that its gathering lane has carried out. */
  received(): Promise<number>;
  stop(): Promise<{ readonly rssMb: number }>;
};

const SHARED_WITHIN_MS = 30_000;

/**
 * Starts two service instances as processes of their own.
 * @throws Error when they have not shared the work among each other after 30 s
 */
export async function startTwoInstances(servers: string): Promise<readonly Instance[]> {
  const start = () => startProgram('./pipeline-instance.js', servers);
  const instances = [await start(), await start()];
  const deadline = performance.now() + SHARED_WITHIN_MS;
  for (;;) {
    const units = await Promise.all(instances.map(instance => instance.units()));
    if (units[0] === units[1] && units[0]! > 0) return instances;
    if (performance.now() > deadline) throw new Error(`the instances have ${units.join(' and ')} units`);
    await sleep(50);
  }
}

/** Starts a program of this folder, which says when it is ready, and ends when it is told to. */
export async function startProgram(file: string, ...words: readonly string[]): Promise<Instance> {
  const entry = new URL(`../dist/${file}`, import.meta.url).pathname;
  const child = fork(entry, words, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: ['--expose-gc'],
  });
  await message(child);
  const ask = (word: string): Promise<unknown> => {
    const answer = message(child);
    child.send(word);
    return answer;
  };
  return {
    units: () => ask('units') as Promise<number>,
    start: () => ask('start') as Promise<void>,
    memory: () => ask('memory') as Promise<Memory>,
    received: () => ask('received') as Promise<number>,
    async stop() {
      const memory = (await ask('stop')) as { readonly rssMb: number };
      await once(child, 'exit');
      return memory;
    },
  };
}

async function message(child: ReturnType<typeof fork>): Promise<unknown> {
  const ended = new AbortController();
  const end = () => ended.abort(new Error('a service instance ended early'));
  child.once('exit', end);
  try {
    const [received] = (await once(child, 'message', { signal: ended.signal })) as [unknown];
    return received;
  } finally {
    child.removeListener('exit', end);
  }
}
