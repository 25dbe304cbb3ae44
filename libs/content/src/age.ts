import { setImmediate as theNextTurn } from 'node:timers/promises';
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';

/** How every file of age-encryption.org/v1 begins. */
const MAGIC = new TextEncoder().encode('age-encryption.org/v1\n');
/** What is worked on before others of the process have their turn. */
const PIECE_BYTES = 1024 * 1024;
/** Native X25519: others of age's recipients need tools or keys that nodes do not have. */
const RECIPIENT = /^age1[02-9ac-hj-np-z]{58}$/;
const IDENTITY = /^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/;

/** What came is no age file, was changed, or is for others. */
export class Undecipherable extends Error {
  override readonly name = 'Undecipherable';
}

export const newAgeIdentity = (): Promise<string> => generateX25519Identity();

/** Whom others encrypt to, so that this identity can read it. */
export const recipientOf = (identity: string): Promise<string> => identityToRecipient(identity);

/** Whether it is an X25519 recipient, its checksum included. */
export const isAgeRecipient = (text: string): boolean =>
  RECIPIENT.test(text) && succeeds(() => new Encrypter().addRecipient(text));

export const isAgeIdentity = (text: string): boolean =>
  IDENTITY.test(text) && succeeds(() => new Decrypter().addIdentity(text));

/** Any of the recipients can read it. @throws Error when one is malformed */
export async function encryptTo(recipients: readonly string[], clear: Uint8Array): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return collected(await encrypter.encrypt(inPieces(clear)));
}

/** @throws Undecipherable */
export async function decryptWith(identities: readonly string[], file: Uint8Array): Promise<Uint8Array> {
  if (!MAGIC.every((byte, index) => file[index] === byte)) throw new Undecipherable('it is no age file');
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  try {
    return await collected(await decrypter.decrypt(inPieces(file)));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Undecipherable(`it cannot be decrypted: ${reason}`, { cause });
  }
}

/** A file of a gigabyte takes seconds of arithmetic, in which a process has to answer others too. */
function inPieces(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let fromByte = 0;
  return new ReadableStream({
    async pull(controller) {
      await theNextTurn();
      if (fromByte < bytes.length) controller.enqueue(bytes.subarray(fromByte, fromByte + PIECE_BYTES));
      fromByte += PIECE_BYTES;
      if (fromByte >= bytes.length) controller.close();
    },
  });
}

async function collected(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

function succeeds(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
