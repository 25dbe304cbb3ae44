import { keccak256 } from 'ethers';

const bloomBytes = 256;
/** The same contracts and topics come again and again. */
const maxRemembered = 100_000;
const remembered = new Map<string, readonly [number, number, number]>();

/** The three bits of a value in a block's bloom (Ethereum yellow paper, section 4.4.1). */
function bitsOf(value: string): readonly [number, number, number] {
  const known = remembered.get(value);
  if (known) return known;
  const hash = keccak256(value);
  const bit = (pair: number) => Number.parseInt(hash.slice(2 + pair * 4, 6 + pair * 4), 16) & 2_047;
  const bits = [bit(0), bit(1), bit(2)] as const;
  if (remembered.size >= maxRemembered) remembered.clear();
  remembered.set(value, bits);
  return bits;
}

/** Whether a block may hold a log of the address; false is certain. @param bloom in hex */
export function mayHold(bloom: string, address: string): boolean {
  return bitsOf(address).every(bit => {
    const at = 2 * (bloomBytes - 1 - (bit >> 3));
    return (Number.parseInt(bloom.slice(2 + at, 4 + at), 16) & (1 << (bit & 7))) !== 0;
  });
}

/** The bloom of a block that holds exactly these logs, in hex. */
export function bloomOf(
  logs: readonly { readonly address: string; readonly topics: readonly string[] }[],
): string {
  const bloom = new Uint8Array(bloomBytes);
  for (const { address, topics } of logs) {
    for (const value of [address, ...topics]) {
      for (const bit of bitsOf(value)) bloom[bloomBytes - 1 - (bit >> 3)]! |= 1 << (bit & 7);
    }
  }
  return `0x${Buffer.from(bloom).toString('hex')}`;
}
