import { fork } from 'node:child_process';
import { once } from 'node:events';

/** What a process holds, in MiB; its heap after the garbage was collected. */
export type Memory = { readonly rssMb: number; readonly heapMb: number };

export type Instance = { memory(): Promise<Memory>; stop(): Promise<{ readonly rssMb: number }> };

/** Starts one service instance as a process of its own; resolves when its command lane takes commands. */
export const startInstance = (servers: string, aggregate: 'tenant' | 'operator'): Promise<Instance> =>
  startProgram('./pipeline-instance.js', servers, aggregate);

/** Starts a program of this folder, which says when it is ready, and ends when it is told to. */
export async function startProgram(file: string, ...words: readonly string[]): Promise<Instance> {
  const entry = new URL(file, import.meta.url).pathname;
  const child = fork(entry, words, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: ['--expose-gc'],
  });
  await message(child);
  return {
    async memory() {
      const answer = message(child);
      child.send('memory');
      return (await answer) as Memory;
    },
    async stop() {
      const answer = message(child);
      child.send('stop');
      const memory = (await answer) as { readonly rssMb: number };
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
