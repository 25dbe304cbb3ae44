import { expect, test } from '@jest/globals';
import { Presence } from './presence.js';

const at = (heardMs: number) => ({ lastSeenAt: new Date(heardMs), heardMs });
const seen = (nodeId: string, heardMs: number) => ({ nodeId, ...at(heardMs) });

test('a node that is not known is to be announced, once', () => {
  const presence = new Presence();
  expect(presence.heard(seen('n1', 1))).toBe(false);
  presence.announced(seen('n1', 1));
  expect(presence.heard(seen('n1', 2))).toBe(true);
});

test('a node is silent when its last heartbeat is as old as the limit', () => {
  const presence = new Presence();
  presence.announced(seen('n1', 1));
  presence.announced(seen('n2', 1));
  presence.heard(seen('n1', 5));
  expect(presence.silentSince(1)).toEqual([seen('n2', 1)]);
  expect(presence.silentSince(0)).toEqual([]);
});

test('a node that went offline is announced by its next heartbeat', () => {
  const presence = new Presence();
  presence.announced(seen('n1', 1));
  presence.forget('n1');
  expect(presence.silentSince(9)).toEqual([]);
  expect(presence.heard(seen('n1', 2))).toBe(false);
});

test('after a restart the nodes that are online count as heard now', () => {
  const presence = new Presence();
  presence.reconcile(['n1'], at(100));
  expect(presence.heard(seen('n1', 101))).toBe(true);
  presence.reconcile(['n1', 'n2'], at(102));
  expect(presence.silentSince(102)).toEqual([seen('n1', 101), seen('n2', 102)]);
});

test('a node whose announcement was lost is announced anew', () => {
  const presence = new Presence();
  presence.announced(seen('n1', 1));
  presence.reconcile([], at(2));
  expect(presence.heard(seen('n1', 3))).toBe(false);
});
