import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { FrameShuffler } from './frame-shuffler.js';
import { FrameReader } from './nats-frames.js';
import { Random } from './random.js';

const publish = (text: string) => `PUB jobs ${text.length}\r\n${text}\r\n`;
const withHeader = (header: string) => `HMSG jobs 1 ${header.length} ${header.length}\r\n${header}\r\n`;

let forwarded: string[];
let shuffler: FrameShuffler;

beforeEach(() => {
  jest.useFakeTimers();
  forwarded = [];
  shuffler = new FrameShuffler(bytes => forwarded.push(bytes.toString()));
});
afterEach(() => void jest.useRealTimers());

const take = (text: string) => {
  for (const frame of new FrameReader().push(Buffer.from(text))) shuffler.take(frame);
};
const messages = Array.from({ length: 20 }, (_, index) => publish(`m${index}`));

test('frames are the same wherever the network has cut them, and hold whatever bytes a payload has', () => {
  const said = [
    'CONNECT {"name":"ash"}\r\n',
    publish('PING\r\n'),
    'PING\r\n',
    withHeader('NATS/1.0\r\n\r\n'),
  ];
  const reader = new FrameReader();
  const frames = [...Buffer.from(said.join(''))].flatMap(byte => reader.push(Buffer.of(byte)));
  expect(frames.map(({ bytes }) => bytes.toString())).toEqual(said);
  expect(frames.map(({ verb }) => verb)).toEqual(['CONNECT', 'PUB', 'PING', 'HMSG']);
});

test('while nobody shuffles, every frame goes on at once', () => {
  take(messages.join(''));
  expect(forwarded).toEqual(messages);
});

test('messages are held and let go in another order, none lost and none twice', () => {
  shuffler.shuffle(new Random(3));
  take(messages.join(''));
  expect(forwarded).toEqual([]);
  jest.runAllTimers();
  expect(forwarded).not.toEqual(messages);
  expect([...forwarded].sort()).toEqual([...messages].sort());
  expect(shuffler.moved).toBeGreaterThan(10);
});

test.each([
  ['a ping', 'PING\r\n'],
  ['the status of a pull', withHeader('NATS/1.0 408 Request Timeout\r\n\r\n')],
  ['a part of an atomic batch', withHeader('NATS/1.0\r\nNats-Batch-Id: b1\r\n\r\n')],
])('%s overtakes nothing', (_, barrier) => {
  shuffler.shuffle(new Random(3));
  take([...messages, barrier].join(''));
  expect(forwarded).toHaveLength(messages.length + 1);
  expect(forwarded.at(-1)).toBe(barrier);
});

test('straightening lets go of what is held, and of what comes later at once', () => {
  shuffler.shuffle(new Random(3));
  take(messages.slice(0, 10).join(''));
  shuffler.straighten();
  take(messages.slice(10).join(''));
  expect(forwarded).toHaveLength(messages.length);
  expect(forwarded.slice(10)).toEqual(messages.slice(10));
});
