import { expect, test } from '@jest/globals';
import { LogSender, logLimits } from './log-sender.js';

type Sent = Parameters<ConstructorParameters<typeof LogSender>[0]>[0];

function sending(): { readonly sender: LogSender; readonly sent: Sent[]; write(text: string): void } {
  const sent: Sent[] = [];
  const sender = new LogSender(
    lines => sent.push(lines),
    () => undefined,
  );
  return { sender, sent, write: text => sender.write('stdout', new TextEncoder().encode(text)) };
}
/** Takes a KiB on the way. */
const line = `${'x'.repeat(1_024 - logLimits.bytesOfLine)}\n`;
const texts = (sent: readonly Sent[]) => sent.flatMap(({ lines }) => lines.map(({ text }) => text));

test('pieces become lines, and the last one needs no end', () => {
  const { sender, sent, write } = sending();
  for (const piece of ['on', 'e\ntw', 'o\n\nthree']) write(piece);
  sender.write('stderr', new TextEncoder().encode('beside'));
  sender.close();
  expect(texts(sent)).toEqual(['one', 'two', '', 'three', 'beside']);
  expect(sent[0]!.lines.map(({ source }) => source)).toEqual([...Array(4).fill('stdout'), 'stderr']);
});

test('a character that comes in two pieces is one', () => {
  const { sender, sent } = sending();
  const bytes = new TextEncoder().encode('é');
  sender.write('stdout', bytes.subarray(0, 1));
  sender.write('stdout', bytes.subarray(1));
  sender.close();
  expect(texts(sent)).toEqual(['é']);
});

test('a long line is cut, and says how much is missing', () => {
  const { sender, sent, write } = sending();
  for (let piece = 0; piece < 3; piece++) write('x'.repeat(logLimits.lineCharacters));
  sender.close();
  expect(texts(sent)).toEqual([
    `${'x'.repeat(logLimits.lineCharacters)}… and ${2 * logLimits.lineCharacters} characters more`,
  ]);
});

test('lines of nothing are not sent without end either', () => {
  const { sender, sent, write } = sending();
  write('\n'.repeat(10_000));
  sender.close();
  expect(sent[0]!.lines).toHaveLength(logLimits.bytesAtOnce / logLimits.bytesOfLine);
});

test('what comes too fast is left out and counted', () => {
  const { sender, sent, write } = sending();
  write(line.repeat(40));
  sender.close();
  expect(sent).toHaveLength(1);
  expect(sent[0]).toMatchObject({ linesLeftOut: 8 });
  expect(sent[0]!.lines).toHaveLength(32);
});

test('a task that has written what it may is heard no more, and what it writes is counted', () => {
  const { sent, write, sender } = sending();
  // Each is sent at once, as after a quarter of a second.
  for (let part = 0; part < 33; part++) {
    write(line.repeat(32));
    sender.close();
  }
  const bytes = texts(sent).reduce((sum, text) => sum + text.length + logLimits.bytesOfLine, 0);
  expect(bytes).toBe(logLimits.bytesOfTask);
  expect(sent.reduce((sum, { linesLeftOut }) => sum + linesLeftOut, 0)).toBe(33 * 32 - 1_024);
});
