import { Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Problem } from './problem.js';
import { Slots } from './slots.js';

/** The streams of server-sent events that are open at one route, no more than so many at a time. */
export class OpenStreams {
  private readonly slots: Slots;
  private readonly open = new Set<AbortController>();

  constructor(max: number) {
    this.slots = new Slots(max);
  }

  /**
   * @param write what is sent, until the signal that the stream is closed
   * @throws Problem `too_many_streams`
   */
  answer(reply: FastifyReply, write: (signal: AbortSignal) => AsyncIterable<string>): StreamableFile {
    const release = this.slots.take();
    if (!release) throw new Problem('too_many_streams', { headers: { 'retry-after': '5' } });
    const stopped = new AbortController();
    this.open.add(stopped);
    const stream = Readable.from(write(stopped.signal), { objectMode: false });
    // On its end, on an error of the bus and when the client goes away.
    stream.once('close', () => {
      stopped.abort();
      this.open.delete(stopped);
      release();
    });
    // Proxies such as nginx buffer answers unless they are told not to.
    reply.header('x-accel-buffering', 'no');
    return new StreamableFile(stream, { type: 'text/event-stream; charset=utf-8' });
  }

  /** Streams would keep the server from closing; their clients resume at another one. */
  close(): void {
    for (const stopped of this.open) stopped.abort();
  }
}
