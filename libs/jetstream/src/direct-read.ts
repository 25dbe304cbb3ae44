import { JetStreamError, type StoredMsg } from '@nats-io/jetstream';
import { REQUEST_TIMEOUT_MS, type Bus } from './bus.js';

export type Page = { readonly seq: number; readonly batch: number; readonly next_by_subj: string };

const NOTHING_FOUND = 404;

/**
 * One page of a stream's messages, read without a consumer. The server may cut a page short; the last
 * message's `pending` says how many are left. The callback form is used because the iterator form keeps its
 * subscription.
 */
export async function readPage(bus: Bus, stream: string, page: Page): Promise<readonly StoredMsg[]> {
  await bus.ready();
  return new Promise((resolve, reject) => {
    const messages: StoredMsg[] = [];
    const timer = setTimeout(
      () => reject(new Error(`no answer to a read of ${stream} within ${REQUEST_TIMEOUT_MS} ms`)),
      REQUEST_TIMEOUT_MS,
    );
    bus.jsm.direct
      .getBatch(stream, {
        ...page,
        callback(done, message) {
          if (!done) {
            messages.push(message);
            return;
          }
          clearTimeout(timer);
          if (!done.err || codeOf(done.err) === NOTHING_FOUND) resolve(messages);
          else reject(done.err);
        },
      })
      .catch(reject);
  });
}

const codeOf = (error: Error): unknown =>
  error instanceof JetStreamError && 'code' in error ? error.code : undefined;
