import type { Bus } from '@astro/jetstream/bus';
import { boundsOf, restoreStream, type StreamBounds } from '@astro/jetstream/stream-restore';
import type { Archive, ArchivedEvent, Head } from './archive.js';
import { genesisOf, linkOf } from './chain.js';
import { verify } from './verify.js';

/** The stream cannot be restored as things are; what they are is said. */
export class NotRestored extends Error {
  override readonly name = 'NotRestored';
}

/**
 * Rebuilds a stream that is absent or empty from its archive. A stream that already is what the archive says is left
 * alone; one that differs in anything is never touched.
 * @throws NotRestored
 */
export async function restore(bus: Bus, archive: Archive, stream: string): Promise<StreamBounds> {
  const head = await archive.head(stream);
  if (head.sequence === 0) throw new NotRestored(`the archive holds nothing of ${stream}`);
  const bounds = await boundsOf(bus, stream);
  if (bounds && bounds.lastSequence > 0) {
    const { findings } = await verify(bus, archive, stream, { allowedLagMs: 0 });
    const [first] = findings;
    if (!first) return bounds;
    throw new NotRestored(`${stream} is not empty and differs from its archive: ${first.says}`);
  }
  return restoreStream(bus, stream, checked(archive, stream, head));
}

/** Pages of the archive; ends with an error where the chain is broken, which ends the restoration too. */
async function* checked(
  archive: Archive,
  stream: string,
  head: Head,
): AsyncGenerator<readonly ArchivedEvent[]> {
  let last: Head = { sequence: 0, hash: genesisOf(stream) };
  while (last.sequence < head.sequence) {
    const page = await archive.read(stream, last.sequence);
    if (page.length === 0) break;
    const events = page.filter(event => event.sequence <= head.sequence);
    for (const event of events) {
      const isNext = event.sequence === last.sequence + 1;
      if (!isNext || !linkOf(last.hash, event).equals(event.hash)) {
        throw new NotRestored(`the archive of ${stream} is broken after ${last.sequence}`);
      }
      last = event;
    }
    if (events.length > 0) yield events;
  }
  if (last.sequence !== head.sequence || !last.hash.equals(head.hash)) {
    throw new NotRestored(`the archive of ${stream} ends at ${last.sequence}, its head is ${head.sequence}`);
  }
}
