import type { Recorded } from '@astro/event-sourcing/recorded';
import type { Bus } from './bus.js';
import { recordedFrom } from './delivered.js';
import { readPage } from './direct-read.js';
import { plainHeaders } from './headers.js';
import { eventStreamOf } from './subjects.js';

const PAGE_SIZE = 1_000;

/** Every event of a context after a position, in order, up to the last one when each page is read. */
export async function* replay(bus: Bus, context: string, afterPosition = 0): AsyncGenerator<Recorded> {
  for (let seq = afterPosition + 1; ;) {
    const page = await readPage(bus, eventStreamOf(context), {
      seq,
      batch: PAGE_SIZE,
      next_by_subj: `evt.${context}.>`,
    });
    for (const { subject, seq: position, time: recordedAt, data, header } of page)
      yield recordedFrom({ subject, position, recordedAt, data, headers: plainHeaders(header) });
    const last = page.at(-1);
    if (!last || last.pending === 0) return;
    seq = last.seq + 1;
  }
}
