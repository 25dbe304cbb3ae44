import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import type { ExchangeFrame } from '@astro/messages/agent';
import { CHUNK_BYTES_MAX, Exchange } from './exchange.js';

const head = {
  leaseId: 'lease_1',
  fencingToken: 1,
  method: 'POST',
  path: '/v1/tokens',
  headers: [],
  hasBody: true,
};

/** Two sides with nothing between them but what `passes` lets through. */
function sides(passes: (frame: ExchangeFrame) => ExchangeFrame | undefined = frame => frame) {
  const said: { readonly gateway: ExchangeFrame[]; readonly agent: ExchangeFrame[] } = {
    gateway: [],
    agent: [],
  };
  const wire = (from: 'gateway' | 'agent', other: () => Exchange) => ({
    say: (frame: ExchangeFrame) => {
      said[from].push(frame);
      const passed = passes(frame);
      if (passed) queueMicrotask(() => other().hear(passed));
    },
    over: () => undefined,
  });
  const gateway: Exchange = new Exchange(wire('gateway', () => agent));
  const agent: Exchange = new Exchange(wire('agent', () => gateway));
  return { gateway, agent, said };
}

async function textOf(exchange: Exchange): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of exchange.body()) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const bodiesIn = (frames: readonly ExchangeFrame[]) =>
  frames.flatMap(({ body }) => (body ? [body.length] : []));

describe('an exchange', () => {
  test('carries a request and its answer, with their bodies, and is over for both', async () => {
    const { gateway, agent } = sides();
    gateway.request(head);
    agent.welcome();
    await gateway.write(Buffer.from('question'));
    gateway.finish();
    expect(await textOf(agent)).toBe('question');
    agent.answer({ status: 200, headers: [{ name: 'x', value: 'y' }] });
    await agent.write(Buffer.from('answer'));
    agent.finish();
    expect(await gateway.answered()).toEqual({ status: 200, headers: [{ name: 'x', value: 'y' }] });
    expect(await textOf(gateway)).toBe('answer');
    expect([gateway.ended.aborted, agent.ended.aborted]).toEqual([true, true]);
    expect([gateway.broken, agent.broken]).toEqual([undefined, undefined]);
  });

  test('is said in frames of bounded size, of which no more are under way than are granted', async () => {
    const { gateway, agent, said } = sides();
    gateway.request({ ...head, hasBody: false });
    agent.answer({ status: 200, headers: [] });
    const writing = agent.write(new Uint8Array(40 * CHUNK_BYTES_MAX + 1)).then(() => agent.finish());
    for (let turns = 0; turns < 50; turns += 1) await turn();
    // Nobody has read: what was granted with the request is all that was sent.
    expect(bodiesIn(said.agent)).toEqual(Array.from({ length: 16 }, () => CHUNK_BYTES_MAX));
    const [text] = await Promise.all([textOf(gateway), writing]);
    expect(text).toHaveLength(40 * CHUNK_BYTES_MAX + 1);
    expect(bodiesIn(said.agent).at(-1)).toBe(1);
  });

  test('gives no body away before it is welcome, so that the request can still go elsewhere', async () => {
    const { gateway, agent, said } = sides();
    gateway.request(head);
    const writing = gateway.write(Buffer.from('question'));
    await turn();
    agent.breakOff('not_listening', 'connection refused');
    await expect(writing).rejects.toMatchObject({ breach: 'not_listening' });
    expect(bodiesIn(said.gateway)).toEqual([]);
  });

  test('breaks off for both when one side withdraws', async () => {
    const { gateway, agent } = sides();
    gateway.request(head);
    agent.welcome();
    await gateway.welcomed();
    const reading = textOf(agent);
    gateway.breakOff('withdrawn', 'the client has gone');
    await expect(reading).rejects.toMatchObject({ breach: 'withdrawn', message: 'the client has gone' });
    await expect(gateway.answered()).rejects.toMatchObject({ breach: 'withdrawn' });
  });

  test('breaks off when a frame was lost', async () => {
    const { gateway, agent } = sides(frame => (frame.body?.[0] === 2 ? undefined : frame));
    gateway.request({ ...head, hasBody: false });
    agent.answer({ status: 200, headers: [] });
    for (const byte of [1, 2, 3]) await agent.write(Uint8Array.of(byte));
    await expect(textOf(gateway)).rejects.toMatchObject({ breach: 'lost', message: 'frame 3 was lost' });
  });

  test('breaks off with whoever sends more than was granted', async () => {
    const { gateway, agent } = sides();
    gateway.request({ ...head, hasBody: false });
    const { length } = Array.from({ length: 17 }, (_, index) =>
      gateway.hear({ number: index + 1, isLast: false, credit: 0, body: Uint8Array.of(1) }),
    );
    expect(length).toBe(17);
    expect(gateway.broken).toMatchObject({ message: 'more was sent than was granted' });
    agent.lose('lost', 'the end of the test');
  });
});
