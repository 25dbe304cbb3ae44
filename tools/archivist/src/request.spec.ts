import { contexts } from '@astro/jetstream/subjects';
import { expect, test } from '@jest/globals';
import { readRequest, UsageError } from './request.js';

test('every context is verified unless one is named', () => {
  expect(readRequest(['verify'])).toEqual({ kind: 'verify', contexts, allowedLagMs: 60_000 });
  expect(readRequest(['verify', '--context', 'billing', '--lag-seconds', '0'])).toEqual({
    kind: 'verify',
    contexts: ['billing'],
    allowedLagMs: 0,
  });
});

test('an invoice is verified by the archive, or by a root', () => {
  const root = 'ab'.repeat(32);
  const file = 'invoice.json';
  expect(readRequest(['invoice', 'verify', file])).toEqual({ kind: 'verify-invoice', file });
  expect(readRequest(['invoice', 'verify', file, '--root', root])).toEqual({
    kind: 'verify-invoice',
    file,
    root,
  });
  expect(() => readRequest(['invoice', 'verify'])).toThrow('--file has no value.');
  expect(() => readRequest(['invoice', 'verify', file, '--root', 'x'])).toThrow('"x" cannot be --root.');
});

test('one stream is restored at a time', () => {
  expect(readRequest(['restore', '--context', 'billing'])).toEqual({ kind: 'restore', context: 'billing' });
});

test.each([
  [[], 'A command is missing.'],
  [['burn'], 'There is no command burn.'],
  [['restore'], 'Which stream?'],
  [['restore', '--context', 'money'], 'There is no context money.'],
  [['restore', '--context', 'billing', '--lag-seconds', '1'], 'What does --lag-seconds mean to restore?'],
  [['verify', '--context'], '--context has no value.'],
  [['verify', '--context', 'billing', '--context', 'registry'], '--context is given twice.'],
  [['verify', '--lag-seconds', '-1'], '"-1" is not a number of seconds.'],
  [['verify', 'billing'], 'What does billing mean to verify?'],
])('%j is refused', (args, problem) => {
  expect(() => readRequest(args)).toThrow(UsageError);
  expect(() => readRequest(args)).toThrow(problem);
});
