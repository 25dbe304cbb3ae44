import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { newApiKey, parseApiKey, sha256Of } from './api-key.js';

test('a new key has the shape of one, and its hash is that of its text', () => {
  for (let count = 0; count < 200; count++) {
    const { text, sha256 } = newApiKey();
    expect(text).toMatch(/^astro_[0-9A-Za-z]{49}$/);
    expect(parseApiKey(text)).toBe(true);
    expect(sha256).toBe(sha256Of(text));
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  }
});

test('no two keys are alike', () => {
  const texts = Array.from({ length: 500 }, () => newApiKey().text);
  expect(new Set(texts).size).toBe(texts.length);
});

test('any one character mistyped is detected', () => {
  const { text } = newApiKey();
  const position = fc.integer({ min: 0, max: text.length - 1 });
  fc.assert(
    fc.property(position, fc.stringMatching(/^[0-9A-Za-z_]$/), (index, character) => {
      fc.pre(character !== text[index]);
      expect(parseApiKey(text.slice(0, index) + character + text.slice(index + 1))).toBe(false);
    }),
  );
});

test('two neighbours exchanged, a character lost or one too many are detected', () => {
  const { text } = newApiKey();
  for (let index = 0; index < text.length - 1; index++) {
    const [left, right] = [text[index]!, text[index + 1]!];
    const exchanged = text.slice(0, index) + right + left + text.slice(index + 2);
    expect(parseApiKey(exchanged)).toBe(left === right);
  }
  expect(parseApiKey(text.slice(0, -1))).toBe(false);
  expect(parseApiKey(`${text}0`)).toBe(false);
  expect(parseApiKey(`${text}\n`)).toBe(false);
});

// The format is public: keys that exist must stay valid, and scanners look for it.
test.each([
  ['astro_0123456789012345678901234567890123456789abc2fWrIW', true],
  ['astro_00000000000000000000000000000000000000000000000000', false],
  ['', false],
  ['astro_', false],
])('%j', (text, valid) => expect(parseApiKey(text)).toBe(valid));
