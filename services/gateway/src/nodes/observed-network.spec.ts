import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { blockListOf, networkKey, networkOf, networkSecret, observedAddress } from './observed-network.js';

describe('who a request came from', () => {
  const trusted = blockListOf(['10.0.0.0/8', '2001:470:1::5']);
  test.each<readonly [string, string, string | undefined, string | undefined]>([
    ['is who has connected', '9.9.9.9', undefined, '9.9.9.9'],
    ['is who has connected, whatever it says of itself', '9.9.9.9', '8.8.8.8', '9.9.9.9'],
    ['is whom a proxy of ours names', '10.0.0.1', '8.8.8.8', '8.8.8.8'],
    ['is whom the first of several names', '10.0.0.1', '8.8.8.8, 2001:470:1::5', '8.8.8.8'],
    ['is not whom it has named before our proxy did', '10.0.0.1', '1.1.1.1, 8.8.8.8', '8.8.8.8'],
    ['is unknown where a proxy of ours names nobody', '10.0.0.1', undefined, undefined],
    ['is unknown where it names no address', '10.0.0.1', 'unknown', undefined],
    ['is an address of IPv4 as IPv6 has it', '::ffff:10.0.0.1', '::ffff:8.8.8.8', '8.8.8.8'],
  ])('%s', (_title, remote, header, address) =>
    expect(observedAddress(remote, header, trusted)).toBe(address),
  );

  test('is never what an agent writes, whatever that is', () =>
    fc.assert(
      fc.property(fc.string(), written =>
        expect(observedAddress('10.0.0.1', `${written}, 8.8.8.8`, trusted)).toBe('8.8.8.8'),
      ),
    ));
});

describe('the network of an address', () => {
  test.each([
    ['8.8.8.8', '8.8.8.0/24'],
    ['8.8.8.200', '8.8.8.0/24'],
    ['8.8.9.8', '8.8.9.0/24'],
    ['2a00:1450:4001:81b::200e', '2a00:1450:4001::/48'],
    ['2A00:1450:4001:0::1', '2a00:1450:4001::/48'],
    ['2a00::1', '2a00:0:0::/48'],
    ['127.0.0.1', undefined],
    ['10.1.2.3', undefined],
    ['192.168.1.1', undefined],
    ['100.64.0.1', undefined],
    ['::1', undefined],
    ['fd00::1', undefined],
    ['fe80::1', undefined],
  ])('%s is %s', (address, network) => expect(networkOf(address)).toBe(network));
});

test('a key tells networks apart, and is another one with another secret', () => {
  const [secret, other] = [networkSecret('SAA'), networkSecret('SAB')];
  expect(networkKey(secret, '8.8.8.0/24')).toBe(networkKey(networkSecret('SAA'), '8.8.8.0/24'));
  expect(networkKey(secret, '8.8.8.0/24')).not.toBe(networkKey(secret, '8.8.9.0/24'));
  expect(networkKey(secret, '8.8.8.0/24')).not.toBe(networkKey(other, '8.8.8.0/24'));
});

test.each(['', '10.0.0.0/33', '10.0.0/8', '::1/129', 'a/8'])('the range %j is refused', range =>
  expect(() => blockListOf([range])).toThrow(`'${range}' is no address`),
);
