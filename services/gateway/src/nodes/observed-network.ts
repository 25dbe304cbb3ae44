import { createHmac, hkdfSync } from 'node:crypto';
import { BlockList, isIP, isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** A header of more hops than this is nobody's but a liar's. */
const HOPS_MAX = 16;

/** Addresses that say nothing of where a machine is: its own, those of private networks, shared and reserved ones. */
const elsewhere = blockListOf([
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...[
    '224.0.0.0/3',
    '::/96',
    '64:ff9b::/96',
    '100::/64',
    '2001:db8::/32',
    'fc00::/7',
    'fe80::/10',
    'ff00::/8',
  ],
]);

/** @throws RangeError that names the range which is none */
export function blockListOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix = isIPv4(address) ? '32' : '128'] = range.split('/');
    const family = isIP(address);
    if (family === 0 || !/^\d{1,3}$/.test(prefix) || Number(prefix) > (family === 4 ? 32 : 128))
      throw new RangeError(`'${range}' is no address with a prefix`);
    list.addSubnet(address, Number(prefix), family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

const isIn = (list: BlockList, address: string): boolean =>
  list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');

/** An address of IPv4 as IPv6 has it is one of IPv4. */
const plain = (address: string): string => address.trim().replace(/^::ffff:(?=\d+\.)/i, '');

/**
 * Who a request came from: who has connected, or, where that is a proxy of ours, who the proxy says has connected to
 * it, and so on. What an agent writes into the header itself stands before what our proxies have added, and is not
 * reached.
 */
export function observedAddress(
  remote: string,
  forwardedFor: string | undefined,
  trusted: BlockList,
): string | undefined {
  const hops = (forwardedFor ?? '').split(',').map(plain).slice(-HOPS_MAX);
  let address = plain(remote);
  while (isIP(address) !== 0 && isIn(trusted, address)) {
    const before = hops.pop();
    if (before === undefined || isIP(before) === 0) return undefined;
    address = before;
  }
  return isIP(address) === 0 ? undefined : address;
}

/** The network that an address is in: /24 of IPv4, /48 of IPv6. Undefined for one that says nothing of it. */
export function networkOf(address: string): string | undefined {
  if (isIn(elsewhere, address)) return undefined;
  if (isIPv4(address)) return `${address.split('.').slice(0, 3).join('.')}.0/24`;
  const groups = ipaddr.IPv6.parse(address).parts.slice(0, 3);
  return `${groups.map(group => group.toString(16)).join(':')}::/48`;
}

/** For what networks are told by: follows from a secret that all gateways have, and does not tell it. */
export const networkSecret = (seed: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', seed, '', 'astro networks 1', 32));

/** The same for the same network; without the secret nobody can tell which one it is. */
export const networkKey = (secret: Uint8Array, network: string): string =>
  createHmac('sha256', secret).update(network).digest('hex').slice(0, 32);
