import type { LookupAddress } from 'node:dns';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { cidOf } from '@astro/messages/content-id';
import { expect, test } from '@jest/globals';
import { httpBlockSource } from './http-block-source.js';
import { isPublicAddress, isPublicHost, publicLookup } from './public-address.js';

const never = new AbortController().signal;

test.each(['8.8.8.8', '203.0.114.1', '2606:4700::1111', '::ffff:8.8.8.8'])(
  '%s is a public address',
  address => expect(isPublicAddress(address)).toBe(true),
);

test.each([
  ['this machine', ['127.0.0.1', '127.9.9.9', '::1', '0.0.0.0', '::', '::ffff:127.0.0.1']],
  ['private networks', ['10.0.0.1', '172.16.0.1', '192.168.1.1', 'fd00::1', '100.64.0.1', '::ffff:10.0.0.1']],
  ['one link, and the metadata of clouds', ['169.254.169.254', 'fe80::1', '::ffff:169.254.169.254']],
  ['addresses that stand for others', ['64:ff9b::a9fe:a9fe', '2002:a9fe:a9fe::1']],
  [
    'many at once, and what is reserved',
    ['224.0.0.1', 'ff02::1', '255.255.255.255', '192.0.2.1', '240.0.0.1'],
  ],
  ['nothing', ['', 'example.org', '1.2.3']],
])('of %s no address is public', (_what, addresses) => {
  for (const address of addresses) expect([address, isPublicAddress(address)]).toEqual([address, false]);
});

test.each([
  'http://node.example.org',
  'https://node.example.org:8443',
  'http://8.8.8.8:9000',
  'http://[2606:4700::1111]:80',
])('%s may be public', url => expect(isPublicHost(url)).toBe(true));

test.each([
  'http://localhost:9000',
  'http://a.localhost',
  'http://node',
  'http://node.home.arpa',
  'http://metadata.google.internal',
  'http://metadata.google.internal.',
  'http://127.1',
  'http://0x7f.0.0.1',
  'http://2130706433',
  'http://169.254.169.254',
  'http://[::1]:80',
  'http://[::ffff:10.0.0.1]',
  'http://999.1.1.1',
])('%s is not', url => expect(isPublicHost(url)).toBe(false));

const lookedUp = (name: string, all: boolean) =>
  new Promise<string | LookupAddress[]>((resolve, reject) =>
    publicLookup(name, { all }, (error, found) => (error ? reject(error) : resolve(found))),
  );

test.each([true, false])('a name that leads to this machine is not connected to (all: %s)', async all =>
  expect(lookedUp('localhost', all)).rejects.toMatchObject({ name: 'AddressNotPublic' }),
);

test('a source at a private address is asked only where that is allowed, by its name as by its number', async () => {
  let asked = 0;
  const bytes = new TextEncoder().encode('a block');
  const server = createServer((_request, response) => {
    asked += 1;
    response.end(bytes);
  }).listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const authorization = () => 'Bearer x';
  const fetchFrom = (host: string, takesPrivateAddresses: boolean) =>
    httpBlockSource({ url: `http://${host}:${port}`, takesPrivateAddresses, authorization }).fetch(
      cidOf(bytes),
      100,
      never,
    );
  try {
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]'])
      await expect(fetchFrom(host, false)).rejects.toMatchObject({ name: 'AddressNotPublic' });
    expect(asked).toBe(0);
    expect(Buffer.from(await fetchFrom('localhost', true))).toEqual(Buffer.from(bytes));
    // Nor over the connection that is kept now.
    await expect(fetchFrom('localhost', false)).rejects.toMatchObject({ name: 'AddressNotPublic' });
    expect(asked).toBe(1);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
