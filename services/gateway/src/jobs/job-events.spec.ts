import type { Recorded } from '@astro/event-sourcing/recorded';
import { describe, expect, test } from '@jest/globals';
import { eventStream, type Followed } from './job-events.js';

const metadata = { correlationId: 'c', causationId: 'c', actor: 'tenant:tenant_1' };
const recorded = (position: number, type: string, data: object = {}): Recorded => ({
  id: `event_${position}`,
  aggregate: { type: 'scheduling.job', id: 'job_1' },
  event: { type, data },
  position,
  recordedAt: new Date('2026-01-01T00:00:00Z'),
  metadata,
});
const life = [
  recorded(3, 'JobSubmitted', { maxCostAtto: 10n ** 20n }),
  recorded(7, 'JobQueued'),
  recorded(9, 'JobFailed'),
];

async function* source(events: readonly Recorded[], after?: Promise<unknown>): AsyncGenerator<Recorded> {
  yield* events;
  await after;
}
const never = new Promise<never>(() => undefined);
const nothing = { ready: () => never, take: () => [] };
const following = (after: number, heartbeatMs = 60_000, progress: Followed['progress'] = nothing) => ({
  ...{ after, heartbeatMs, progress },
});

async function textOf(stream: AsyncGenerator<string>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}
const idsIn = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));

describe('the stream of a job', () => {
  test('carries every event with its position, and money as text', async () => {
    const text = await textOf(eventStream(source(life), following(0)));
    expect(text.split('\n\n')[1]).toBe(
      'id: 3\nevent: JobSubmitted\n' +
        'data: {"maxCostAtto":"100000000000000000000","recordedAt":"2026-01-01T00:00:00.000Z"}',
    );
    expect(idsIn(text)).toEqual([3, 7, 9]);
  });

  test('resumes after the event that the client has', async () => {
    expect(idsIn(await textOf(eventStream(source(life), following(3))))).toEqual([7, 9]);
  });

  test('ends after the terminal event, though the source goes on', async () => {
    const endless = source([...life, recorded(10, 'JobQueued')], never);
    expect(idsIn(await textOf(eventStream(endless, following(0))))).toEqual([3, 7, 9]);
  });

  test('ends at once for a client that has the terminal event', async () => {
    expect(idsIn(await textOf(eventStream(source(life, never), following(9))))).toEqual([]);
  });

  test('breathes while nothing happens, and goes on with the next event', async () => {
    let tell: (value: unknown) => void = () => undefined;
    const told = new Promise(resolve => (tell = resolve));
    const late = (async function* () {
      yield life[0]!;
      await told;
      yield life[2]!;
    })();
    const stream = eventStream(late, following(0, 1));
    const frames: string[] = [];
    for await (const chunk of stream) {
      frames.push(chunk.split('\n', 1)[0]!);
      if (chunk === ': heartbeat\n\n') tell(undefined);
    }
    expect(frames.slice(0, 3)).toEqual([': open', 'id: 3', ': heartbeat']);
    expect(frames.at(-1)).toBe('id: 9');
  });

  test('tells between events how far tasks are, without a position', async () => {
    let tell: (value: unknown) => void = () => undefined;
    const told = new Promise(resolve => (tell = resolve));
    const late = (async function* () {
      yield life[0]!;
      await told;
      yield life[2]!;
    })();
    const frames = ['event: TaskProgressed\ndata: {"fraction":0.1}\n\n'];
    const progress = {
      ready: () => (frames.length > 0 ? Promise.resolve() : never),
      take: () => frames.splice(0),
    };
    const seen: string[] = [];
    for await (const chunk of eventStream(late, following(0, 60_000, progress))) {
      seen.push(chunk.split('\n', 1)[0]!);
      if (chunk.startsWith('event: TaskProgressed')) tell(undefined);
    }
    expect(seen).toContain('event: TaskProgressed');
    expect(seen.filter(line => line.startsWith('id:'))).toEqual(['id: 3', 'id: 9']);
  });

  test('asks the source for no more than it passes on', async () => {
    let pulled = 0;
    const counted = (async function* () {
      for (const event of life) {
        pulled++;
        yield event;
      }
    })();
    const stream = eventStream(counted, following(0));
    await stream.next();
    await stream.next();
    expect(pulled).toBe(1);
    await stream.return(undefined);
  });

  test('lets go of the source when it is stopped', async () => {
    let released = false;
    const held = (async function* () {
      try {
        yield* life;
      } finally {
        released = true;
      }
    })();
    const stream = eventStream(held, following(0));
    await stream.next();
    await stream.next();
    await stream.return(undefined);
    expect(released).toBe(true);
  });
});
