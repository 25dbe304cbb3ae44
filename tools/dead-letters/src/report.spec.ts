import type { DeskLetter } from '@astro/jetstream/dead-letters-desk';
import { encode } from '@astro/messages/codec';
import { expect, test } from '@jest/globals';
import { ageOf, lineOf, textOf } from './report.js';

const recordedAt = new Date('2026-01-31T12:00:00Z');
const after = (ms: number) => new Date(recordedAt.getTime() + ms);

const letter: DeskLetter = {
  position: 7,
  recordedAt,
  letter: {
    subject: 'cmd.billing.account.tenant_1.CreditAccount',
    stream: 'CMD_BILLING',
    sequence: 3,
    consumer: 'billing_commands',
    deliveries: 8,
    reason: 'the disk\nis on fire',
    payload: encode('astro.billing.v1.CreditAccount', {
      tenantId: 'tenant_1',
      creditId: 'c1',
      amountAtto: 5n,
    }),
    headers: { 'ce-id': 'cmd_1' },
    recordedAt: new Date('2026-01-30T12:00:00Z'),
  },
};

test('a line of the list names consumer, subject, reason and age', () => {
  expect(lineOf(letter, after(90_000))).toBe(
    '7  1 min  billing_commands  cmd.billing.account.tenant_1.CreditAccount  the disk is on fire',
  );
});

test('a settled letter says by whom, when and why', () => {
  const settlement = {
    position: 7,
    fate: 'discarded' as const,
    actor: 'operator:ada',
    why: 'a mistake',
    settledAt: after(1_000),
  };
  expect(lineOf({ ...letter, settlement }, after(90_000))).toMatch(
    /\n {4}discarded by operator:ada at 2026-01-31T12:00:01.000Z: a mistake$/,
  );
});

test('a letter is shown with its headers and its payload', () => {
  const text = textOf(letter);
  expect(text).toContain('  ce-id: cmd_1');
  expect(text).toContain('3 of CMD_BILLING, recorded 2026-01-30T12:00:00.000Z');
  expect(text).toContain('astro.billing.v1.CreditAccount');
  expect(text).toContain('"amountAtto": "5"');
});

test('a payload that cannot be read is shown as it is', () => {
  const text = textOf({ ...letter, letter: { ...letter.letter, payload: Uint8Array.of(0xff, 0xff) } });
  expect(text).toContain('cannot be read');
  expect(text).toMatch(/\nffff$/);
});

test.each([
  [7_000, '7 s'],
  [12 * 60_000, '12 min'],
  [5 * 3_600_000, '5 h'],
  [3 * 86_400_000, '3 d'],
])('after %d ms the age is %s', (ms, age) => expect(ageOf(recordedAt, after(ms))).toBe(age));
