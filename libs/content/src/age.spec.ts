import { createHash, randomBytes } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import * as vectors from 'cctv-age';
import { decryptWith, encryptTo, isAgeIdentity, isAgeRecipient, newAgeIdentity, recipientOf } from './age.js';

type Vector = {
  readonly name: string;
  readonly expected: string;
  readonly payloadSha256: string;
  readonly identities: readonly string[];
  readonly file: Uint8Array;
};

/** Of all public vectors of the format those that a native X25519 identity is for, as files without armour. */
const native: readonly Vector[] = Object.entries(vectors as unknown as Record<string, Uint8Array>).flatMap(
  ([name, bytes]) => {
    const text = Buffer.from(bytes);
    const headEnd = text.indexOf('\n\n');
    const lines = text.subarray(0, headEnd).toString().split('\n');
    const fields = lines.map(line => line.split(': ') as [string, string]);
    const valueOf = (key: string) => fields.find(([field]) => field === key)?.[1] ?? '';
    const identities = fields.flatMap(([field, value]) => (field === 'identity' ? [value] : []));
    if (identities.length === 0 || !identities.every(isAgeIdentity)) return [];
    if (valueOf('armored') === 'yes' || valueOf('passphrase') !== '') return [];
    const body = new Uint8Array(text.subarray(headEnd + 2));
    const file = valueOf('compressed') === 'zlib' ? new Uint8Array(inflateSync(body)) : body;
    return [{ name, expected: valueOf('expect'), payloadSha256: valueOf('payload'), identities, file }];
  },
);

describe('the public test vectors of age', () => {
  test('are many, of files that are sound and of files that are not', () => {
    expect(native.length).toBeGreaterThan(60);
    expect(native.filter(({ expected }) => expected === 'success').length).toBeGreaterThan(10);
  });

  test.each(native.map(vector => [vector.name, vector] as const))('%s', async (_name, vector) => {
    const { expected, identities, file, payloadSha256 } = vector;
    const decrypting = decryptWith(identities, file);
    if (expected !== 'success') {
      await expect(decrypting).rejects.toMatchObject({ name: 'Undecipherable' });
      return;
    }
    expect(
      createHash('sha256')
        .update(await decrypting)
        .digest('hex'),
    ).toBe(payloadSha256);
  });
});

test.each([0, 1, 64 * 1024, 3 * 1024 * 1024 + 7])(
  'a file of %i bytes is read by each of those that it is for, and by nobody else',
  async sizeBytes => {
    const clear = new Uint8Array(randomBytes(sizeBytes));
    const [one, other, stranger] = await Promise.all([newAgeIdentity(), newAgeIdentity(), newAgeIdentity()]);
    const file = await encryptTo([await recipientOf(one), await recipientOf(other)], clear);
    for (const identity of [one, other])
      expect(Buffer.from(await decryptWith([stranger, identity], file)).equals(clear)).toBe(true);
    await expect(decryptWith([stranger], file)).rejects.toMatchObject({ name: 'Undecipherable' });
  },
);

test('a recipient has its checksum right, and is of native X25519', async () => {
  const recipient = await recipientOf(await newAgeIdentity());
  expect(isAgeRecipient(recipient)).toBe(true);
  const last = recipient.at(-1) === 'q' ? 'p' : 'q';
  for (const wrong of ['', 'age1', recipient.slice(0, -1) + last, recipient.toUpperCase(), ` ${recipient}`])
    expect(isAgeRecipient(wrong)).toBe(false);
});
