import { test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { ApiKeyCommand, ApiKeyEvent, IssueApiKey } from '@astro/messages/registry';
import { apiKey } from './api-key.js';

const given = specify(apiKey);
const key: IssueApiKey = {
  keyId: 'key_1',
  owner: 'tenant',
  ownerId: 'tenant_1',
  sha256: 'ab'.repeat(32),
  label: 'laptop',
};
const issue = (changes: Partial<IssueApiKey> = {}): ApiKeyCommand => ({
  type: 'IssueApiKey',
  data: { ...key, ...changes },
});
const revoke: ApiKeyCommand = { type: 'RevokeApiKey', data: { keyId: 'key_1' } };
const issued: ApiKeyEvent = { type: 'ApiKeyIssued', data: key };
const revoked: ApiKeyEvent = { type: 'ApiKeyRevoked', data: { keyId: 'key_1' } };

test('a key is issued', () => given().when(issue()).then(issued));
test('a key needs no label', () =>
  given()
    .when(issue({ label: '' }))
    .then({ type: 'ApiKeyIssued', data: { ...key, label: '' } }));
test('a repeated issue changes nothing', () => given(issued).when(issue()).thenNothing());
test('a repeated issue does not bring a revoked key back', () =>
  given(issued, revoked).when(issue()).thenNothing());
test('another key under the same id is refused', () =>
  given(issued)
    .when(issue({ sha256: 'cd'.repeat(32) }))
    .thenRejected('ApiKeyExists'));
test('a key is revoked', () => given(issued).when(revoke).then(revoked));
test('a repeated revocation changes nothing', () => given(issued, revoked).when(revoke).thenNothing());
test('a key that was never issued is not revoked', () => given().when(revoke).thenRejected('ApiKeyNotFound'));

test.each<[string, Partial<IssueApiKey>]>([
  ['of nobody', { owner: 'unspecified' }],
  ['without an owner', { ownerId: '' }],
  ['whose text was sent for its hash', { sha256: 'astro_secret' }],
  ['with a line break in its label', { label: 'a\nb' }],
])('a key %s is refused', (_title, changes) => given().when(issue(changes)).thenRejected('ApiKeyIsInvalid'));
