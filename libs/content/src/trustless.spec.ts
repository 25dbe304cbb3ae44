import { expect, test } from '@jest/globals';
import { cidOf } from '@astro/messages/content-id';
import { headersOf, isKnown, rangeWithin, wishOf } from './trustless.js';

const cid = cidOf(new Uint8Array(3));
const wish = (query: string, accept?: string, path = cid) =>
  wishOf({ path, query: new URLSearchParams(query), accept });

test.each<[string, string, string | undefined, object]>([
  ['a block by its format', 'format=raw', undefined, { format: 'raw', cid }],
  ['a block by its media type', '', 'application/vnd.ipld.raw', { format: 'raw', cid }],
  ['one of several media types', '', 'text/html, application/vnd.ipld.raw;q=0.5', { format: 'raw', cid }],
  ['a CAR', '', 'application/vnd.ipld.car; version=1; order=dfs', { format: 'car', cid, scope: 'all' }],
  ['the query before the header', 'format=raw', 'application/vnd.ipld.car', { format: 'raw', cid }],
  ['a root alone', 'format=car&dag-scope=block', undefined, { format: 'car', cid, scope: 'block' }],
  [
    'a range, which means an entity',
    'format=car&entity-bytes=5:-1',
    undefined,
    { format: 'car', cid, scope: 'entity', range: { from: 5, to: -1 } },
  ],
])('%s is understood', (_title, query, accept, expected) => expect(wish(query, accept)).toEqual(expected));

test.each<[string, number, string, string | undefined, string]>([
  ['no id', 400, 'format=raw', undefined, 'nonsense'],
  ['an unknown format', 400, 'format=tar', undefined, cid],
  ['an unknown scope', 400, 'format=car&dag-scope=half', undefined, cid],
  ['a range of words', 400, 'format=car&entity-bytes=a:b', undefined, cid],
  ['a path below a file', 404, 'format=raw', undefined, `${cid}/file`],
  ['no format at all', 406, '', undefined, cid],
  ['a web page', 406, '', 'text/html', cid],
  ['a CAR of another version', 406, '', 'application/vnd.ipld.car; version=2', cid],
])('%s is refused with %d', (_title, status, query, accept, path) =>
  expect(wish(query, accept, path)).toMatchObject({ status }),
);

test.each([
  [{ from: 0, to: '*' }, 0, 10],
  [{ from: 2, to: 3 }, 2, 4],
  [{ from: -3, to: '*' }, 7, 10],
  [{ from: 0, to: -2 }, 0, 9],
  [{ from: -99, to: 99 }, 0, 10],
] as const)('a range %j of ten bytes', (range, fromByte, untilByte) =>
  expect(rangeWithin(range, 10)).toEqual({ fromByte, untilByte }),
);

test('each answer has a tag of its own, which spares sending it again', () => {
  const tags = [
    headersOf({ format: 'raw', cid }),
    headersOf({ format: 'car', cid, scope: 'all' }),
    headersOf({ format: 'car', cid, scope: 'entity', range: { from: 0, to: 9 } }),
  ].map(({ etag }) => etag);
  expect(new Set(tags).size).toBe(3);
  expect(isKnown(`"other", W/${tags[0]}`, tags[0]!)).toBe(true);
  expect(isKnown(undefined, tags[0]!)).toBe(false);
});
