import { isPublicHost } from '@astro/content/public-address';
import { specify } from '@astro/event-sourcing/specify';
import type { NodeCommand, NodeEvent, Offer } from '@astro/messages/registry';
import { describe, expect, test } from '@jest/globals';
import { node, offer } from './node.fixture.js';
import { nodeWithin } from './node.js';

const publicKey = `U${'A'.repeat(55)}`;
const enrol = (change: Partial<Offer>): NodeCommand => ({
  type: 'EnrolNode',
  data: { offer: { ...offer, ...change }, publicKey },
});
const enrolled = (change: Partial<Offer>): NodeEvent => ({
  type: 'NodeEnrolled',
  data: { offer: { ...offer, ...change }, publicKey },
});

const refused = (field: string) => ({
  accepted: false,
  rejection: 'OfferIsInvalid',
  detail: expect.stringMatching(new RegExp(`^offer\\.${field}: must be`)),
});

describe('where a node serves content', () => {
  const guarded = nodeWithin({ mayServeAt: isPublicHost });
  const given = specify(guarded);

  test('is a public address', () => {
    const change = { contentUrl: 'https://node.example.org:8443' };
    given().when(enrol(change)).then(enrolled(change));
  });
  test.each([
    'http://127.0.0.1:9000',
    'http://169.254.169.254',
    'http://[fd00::1]',
    'http://localhost',
    'http://gateway',
  ])('is not %s', contentUrl =>
    expect(guarded.decide(enrol({ contentUrl }), guarded.initialState)).toEqual(refused('contentUrl')),
  );
  test('may be private where the platform is', () => {
    const change = { contentUrl: 'http://127.0.0.1:9000' };
    specify(node)().when(enrol(change)).then(enrolled(change));
  });
});

describe('whom keys of encrypted jobs are encrypted to', () => {
  const given = specify(node);

  test('is an age recipient', () => {
    const change = { encryptionRecipient: `age1${'q'.repeat(58)}` };
    given().when(enrol(change)).then(enrolled(change));
  });
  test.each(['', 'age1', `age1pq1${'q'.repeat(58)}`, `AGE1${'Q'.repeat(58)}`])(
    'is not %j',
    encryptionRecipient =>
      expect(node.decide(enrol({ encryptionRecipient }), node.initialState)).toEqual(
        refused('encryptionRecipient'),
      ),
  );
});
