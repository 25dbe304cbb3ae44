const idLength = 32;

/** An id of 32 characters as the chain has it: each a byte of ASCII. @throws RangeError */
export function bytes32Of(id: string): string {
  if (!/^[a-z0-9_]{32}$/.test(id)) throw new RangeError(`${id} is no id of ${idLength} characters`);
  return `0x${Buffer.from(id, 'ascii').toString('hex')}`;
}

/** The id in 32 bytes of hex; undefined when they are none of ours. */
export function idIn(bytes32: string): string | undefined {
  const text = Buffer.from(bytes32.slice(2), 'hex').toString('latin1');
  return /^[a-z0-9_]{32}$/.test(text) ? text : undefined;
}
