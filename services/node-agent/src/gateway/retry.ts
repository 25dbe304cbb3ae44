import { backOffMs, delay } from '@astro/jetstream/delay';

export type Retry = { readonly attempts: number; readonly baseMs: number; readonly maxMs: number };

/**
 * Repeats what failed, after a delay that doubles each time and is spread, so that nodes which lost the same gateway
 * do not come back together.
 * @throws the last error, or one that `isFinal` at once, or the signal's reason
 */
export async function retrying<T>(
  action: () => Promise<T>,
  { attempts, ...backOff }: Retry,
  options: { readonly signal: AbortSignal; isFinal(error: unknown): boolean },
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    options.signal.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      if (attempt >= attempts || options.isFinal(error)) throw error;
    }
    await delay(backOffMs(attempt, backOff), options.signal);
  }
}
