/** Bounds of what a job says of its encryption. */
export const encryptionLimits = {
  /** Nodes that one job may name: the header of its key has 98 bytes for each. */
  nodes: 32,
  outputRecipients: 8,
  /** In base64. */
  wrappedKeyLength: 8_192,
} as const;

/** Native X25519 of age; its checksum is looked at where it comes in. */
export const agePattern = /^age1[02-9ac-hj-np-z]{58}$/;

/** The header for as many recipients as there may be at most, and the nonce. */
const HEADER_BYTES = 1_024;
const CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;

/** How large so many age files may be together that hold so many bytes. */
export const ciphertextBytesMax = (clearBytes: number, files: number): number =>
  clearBytes + files * (HEADER_BYTES + TAG_BYTES) + Math.ceil(clearBytes / CHUNK_BYTES) * TAG_BYTES;
