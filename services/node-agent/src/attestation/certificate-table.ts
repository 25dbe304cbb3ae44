/** AMD's "SEV-ES Guest-Hypervisor Communication Block Standardization": the certificates that a host hands on. */
const GUID_BYTES = 16;
const ENTRY_BYTES = GUID_BYTES + 8;
const ENTRIES_MAX = 16;
const guids = {
  vcek: '63da758de6644564adc5f4b93be8accd',
  vlek: 'a8074bc2a25a483eaae639c045a0b8a1',
  ask: '4ab7b379bbac4fe4a02f05aef327c782',
} as const;

/**
 * The certificates of the chip's key and of the authority that issued it, in DER; those of them that the table has.
 * @throws Error when it is no such table
 */
export function certificatesIn(table: Uint8Array): readonly Uint8Array[] {
  const bytes = Buffer.from(table);
  const found = new Map<string, Uint8Array>();
  for (let index = 0; ; index++) {
    const at = index * ENTRY_BYTES;
    if (index === ENTRIES_MAX || at + ENTRY_BYTES > bytes.length)
      throw new Error('the table of certificates has no end');
    const guid = bytes.toString('hex', at, at + GUID_BYTES);
    const [offset, length] = [bytes.readUInt32LE(at + GUID_BYTES), bytes.readUInt32LE(at + GUID_BYTES + 4)];
    if (/^0+$/.test(guid)) break;
    if (offset + length > bytes.length) throw new Error('the table of certificates leads outside of itself');
    found.set(guid, new Uint8Array(bytes.subarray(offset, offset + length)));
  }
  const key = found.get(guids.vcek) ?? found.get(guids.vlek);
  const authority = found.get(guids.ask);
  return [key, authority].filter(certificate => certificate !== undefined);
}
