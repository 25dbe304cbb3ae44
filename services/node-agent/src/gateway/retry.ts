import { setTimeout as sleep } from 'node:timers/promises';

export type Retry = {
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
};

/**
 * Repeats what failed, with a delay that doubles and is spread evenly between half and all of it, so that nodes
 * which lost the same gateway do not come back together.
 * @throws the last error, or one that `isFinal` at once, or the signal's reason
 */
export async function retrying<T>(
  action: () => Promise<T>,
  { attempts, firstDelayMs, maxDelayMs }: Retry,
  options: { readonly signal: AbortSignal; isFinal(error: unknown): boolean },
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    options.signal.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      if (attempt >= attempts || options.isFinal(error)) throw error;
    }
    const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1));
    await sleep(delayMs * (0.5 + Math.random() / 2), undefined, { signal: options.signal });
  }
}
