import type { Bus } from '@astro/jetstream/bus';
import { writtenHeaders } from '@astro/jetstream/headers';
import { readStored } from '@astro/jetstream/stored-messages';
import { ratePerSecond } from '../measure.js';
import { lastPositionIn, VERDICTS } from './verdicts.js';

const CALLERS = 256;
const ROUND = { warmUpMs: 500, measureMs: 2_500 };
const EVENTS = 1_000;

/**
 * Plain publishes a second of what verification has recorded last, without what makes an event store of a stream: no
 * expected position, no id, no decision, and a stream that nobody reads.
 */
export async function plainPublishesPerSecond(bus: Bus): Promise<number> {
  await bus.jsm.streams.add({ name: 'PLAIN', subjects: ['plain.>'] });
  const recorded = await readStored(bus, VERDICTS, (await lastPositionIn(bus, VERDICTS)) - EVENTS, EVENTS);
  const messages = recorded.map(({ subject, headers, payload }) => ({
    ...{ subject: `plain.${subject}`, payload },
    headers: Buffer.from(headers)
      .toString()
      .split('\r\n')
      .filter(line => /^(ce|content|astro)-/.test(line))
      .map(line => `${line}\r\n`)
      .join(''),
  }));
  let count = 0;
  return ratePerSecond(CALLERS, ROUND, () => {
    const { subject, payload, headers } = messages[count++ % messages.length]!;
    return bus.js.publish(subject, payload, { headers: writtenHeaders(headers) });
  });
}
