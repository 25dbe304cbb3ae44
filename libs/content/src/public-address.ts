import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

/** A host that only a private network or one machine has: whoever names it may want somebody else to ask it. */
export class AddressNotPublic extends Error {
  override readonly name = 'AddressNotPublic';
}

/** Whether an address is of the open internet: neither of this machine, nor of a private network, nor for a purpose. */
export const isPublicAddress = (address: string): boolean =>
  isIP(address) !== 0 && ipaddr.process(address).range() === 'unicast';

/** What a name may end with that the public name system does not know. */
const PRIVATE_NAME = /(^|\.)(localhost|local|internal|intranet|lan|home|home\.arpa)$/;

/** Whether the host of a URL may be public, as far as it tells: what a name leads to shows when it is asked. */
export function isPublicHost(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const host = hostOf(url);
  if (isIP(host) !== 0) return isPublicAddress(host);
  return host.includes('.') && !PRIVATE_NAME.test(host.replace(/\.$/, ''));
}

/** In which form whoever connects takes it: an address of version 6 without its brackets. */
export const hostOf = (url: string): string => new URL(url).hostname.replace(/^\[|\]$/g, '');

/**
 * Looks a name up for a connection, which goes to the very addresses that were looked at. A name that leads to a
 * private address as well is refused: the next look-up could answer with that alone.
 */
export const publicLookup: LookupFunction = (hostname, options, done) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return done(error, []);
    const refusal = refusalOf(hostname, addresses);
    if (refusal) return done(refusal, []);
    if (options.all) return done(null, addresses);
    const [{ address, family }] = addresses as [LookupAddress, ...LookupAddress[]];
    done(null, address, family);
  });
};

function refusalOf(hostname: string, addresses: readonly LookupAddress[]): AddressNotPublic | undefined {
  const wrong = addresses.find(({ address }) => !isPublicAddress(address));
  if (wrong) return new AddressNotPublic(`${hostname} is ${wrong.address}, which is no public address`);
  return addresses.length === 0 ? new AddressNotPublic(`${hostname} has no address`) : undefined;
}
