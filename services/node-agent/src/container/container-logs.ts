import { Tail } from '../sandbox/tail.js';

const HEADER_BYTES = 8;
const STANDARD_ERROR = 2;

/** The ends of both streams from the engine's frames: stream, three bytes of nothing, length, and the bytes. */
export function tailsOf(frames: Uint8Array): { readonly stdoutTail: string; readonly stderrTail: string } {
  const [stdout, stderr] = [new Tail(), new Tail()];
  const view = new DataView(frames.buffer, frames.byteOffset, frames.byteLength);
  for (let at = 0; at + HEADER_BYTES <= frames.length;) {
    const tail = frames[at] === STANDARD_ERROR ? stderr : stdout;
    const start = at + HEADER_BYTES;
    at = start + view.getUint32(at + 4);
    tail.write(frames.subarray(start, at));
  }
  return { stdoutTail: stdout.text, stderrTail: stderr.text };
}
