import { describe, expect, test } from '@jest/globals';
import { chooseReplica } from './choose-replica.js';
import { answerHeaders, requestHeaders } from './passed-headers.js';
import { TenantSlots } from './tenant-slots.js';

describe('of the replicas of a server', () => {
  const loads = (...inFlight: number[]) =>
    inFlight.map((count, index) => ({ leaseId: `lease_${index}`, inFlight: count }));
  /** The draws, one after the other. */
  const drawing = (...draws: number[]) => {
    const left = [...draws];
    return () => left.shift()!;
  };

  test('none is chosen where there is none, and the only one where there is one', () => {
    expect(chooseReplica([], Math.random)).toBeUndefined();
    expect(chooseReplica(loads(9), Math.random)).toMatchObject({ leaseId: 'lease_0' });
  });

  test('two that are not the same are drawn, and the one with less to do is chosen', () => {
    const replicas = loads(5, 0, 3);
    // The first and the last; the idle one is not drawn.
    expect(chooseReplica(replicas, drawing(0, 0.99))).toMatchObject({ leaseId: 'lease_2' });
    expect(chooseReplica(replicas, drawing(0.4, 0))).toMatchObject({ leaseId: 'lease_1' });
    expect(chooseReplica(replicas, drawing(0.99, 0.99))).toMatchObject({ leaseId: 'lease_1' });
  });

  test('all are chosen alike while all have as much to do', () => {
    const chosen = Array.from({ length: 3 }, (_, index) =>
      chooseReplica(loads(1, 1, 1), drawing(index / 3, 0)),
    ).map(replica => replica?.leaseId);
    expect(new Set(chosen)).toEqual(new Set(['lease_0', 'lease_1', 'lease_2']));
  });
});

describe('of the headers', () => {
  test('a program gets neither the key nor what is of the connection alone', () => {
    const raw = [
      ...['Host', 'gateway.example', 'Authorization', 'Bearer secret', 'Content-Type', 'text/plain'],
      ...['Connection', 'keep-alive, X-Hop', 'X-Hop', '1', 'Transfer-Encoding', 'chunked', 'X-Mine', '2'],
    ];
    expect(requestHeaders(raw, 'request_1')).toEqual([
      { name: 'Content-Type', value: 'text/plain' },
      { name: 'X-Mine', value: '2' },
      { name: 'host', value: 'localhost' },
      { name: 'x-request-id', value: 'request_1' },
      { name: 'connection', value: 'close' },
    ]);
  });

  test('a client gets what is the program’s, and nothing that would hold for the whole gateway', () => {
    const kept = [
      { name: 'Content-Type', value: 'text/event-stream' },
      { name: 'X-Model', value: 'tokens' },
    ];
    const dropped = ['Set-Cookie', 'Keep-Alive', 'Content-Security-Policy', 'Alt-Svc', 'X-Request-Id'];
    expect(answerHeaders([...kept, ...dropped.map(name => ({ name, value: 'x' }))])).toEqual(kept);
  });
});

test('a tenant has so many requests in flight, whatever others have', () => {
  const slots = new TenantSlots(2);
  const [first, second] = [slots.take('a'), slots.take('a')];
  expect(slots.take('a')).toBeUndefined();
  expect(slots.take('b')).toBeDefined();
  first!();
  second!();
  expect(slots.take('a')).toBeDefined();
});
