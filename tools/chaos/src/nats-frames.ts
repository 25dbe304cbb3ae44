/** One unit of the NATS protocol: a control line, and the payload that it announces. */
export type Frame = { readonly verb: string; readonly bytes: Buffer };

/** The longest control line that a server takes, and more. */
const lineMax = 1 << 20;
const lineEnd = Buffer.from('\r\n');
const withPayload = new Set(['PUB', 'HPUB', 'MSG', 'HMSG']);

/**
 * Cuts what one side of a NATS connection says into frames, wherever the network has cut it.
 * Source: https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
export class FrameReader {
  private rest: Buffer = Buffer.alloc(0);

  /** The frames that are whole now; what follows them is kept for the next call. */
  push(chunk: Buffer): readonly Frame[] {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const frames: Frame[] = [];
    for (let frame = this.first(); frame; frame = this.first()) {
      frames.push(frame);
      this.rest = this.rest.subarray(frame.bytes.length);
    }
    return frames;
  }

  private first(): Frame | undefined {
    const end = this.rest.indexOf(lineEnd);
    if (end === -1) {
      if (this.rest.length > lineMax) throw new Error(`a control line of more than ${lineMax} bytes`);
      return undefined;
    }
    const words = this.rest.toString('latin1', 0, end).split(/[ \t]+/);
    const verb = words[0]!.toUpperCase();
    const lineBytes = end + lineEnd.length;
    const payloadBytes = withPayload.has(verb) ? Number(words.at(-1)) + lineEnd.length : 0;
    if (!Number.isSafeInteger(payloadBytes)) throw new Error(`${verb} without a size`);
    if (this.rest.length < lineBytes + payloadBytes) return undefined;
    return { verb, bytes: this.rest.subarray(0, lineBytes + payloadBytes) };
  }
}

export const isMessage = ({ verb }: Frame): boolean => withPayload.has(verb);
