import { isMessage, type Frame } from './nats-frames.js';
import type { Random } from './random.js';

const holdMs = { least: 20, most: 200 };
/** Held frames beyond this go on at once, so that a flood is not kept in memory. */
const heldMax = 1_000;
/**
 * What a sender writes to know that all before it has arrived, and what the bus itself says about a pull, keeps its
 * place among the messages; so do the parts of an atomic batch, which one sender cannot write in another order.
 */
const barriers = new Set(['PING', 'PONG']);
const keepsItsPlace = [Buffer.from('NATS/1.0 '), Buffer.from('Nats-Batch-Id')];

/** One direction of a connection: while it is told to, it holds messages a moment and changes their order. */
export class FrameShuffler {
  private held: Buffer[] = [];
  private random: Random | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** How many messages have left their place. */
  moved = 0;

  constructor(private readonly forward: (bytes: Buffer) => void) {}

  shuffle(random: Random): void {
    this.random = random;
  }

  /** What is held goes on now, and all that comes later at once. */
  straighten(): void {
    this.release();
    this.random = undefined;
  }

  take(frame: Frame): void {
    const { random } = this;
    if (!random) return this.forward(frame.bytes);
    if (!isMessage(frame)) {
      if (barriers.has(frame.verb)) this.release();
      return this.forward(frame.bytes);
    }
    if (isBarrier(frame)) {
      this.release();
      return this.forward(frame.bytes);
    }
    this.held.push(frame.bytes);
    if (this.held.length >= heldMax) return this.release();
    this.timer ??= setTimeout(() => this.release(), random.between(holdMs.least, holdMs.most));
  }

  private release(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { held, random } = this;
    this.held = [];
    if (!random) return;
    const order = shuffled(held.length, random);
    this.moved += order.filter((from, to) => from !== to).length;
    for (const index of order) this.forward(held[index]!);
  }
}

/** The status of a pull has no payload after its header; an atomic batch says its id in the header. */
const isBarrier = ({ verb, bytes }: Frame): boolean => {
  if (verb !== 'HMSG' && verb !== 'HPUB') return false;
  const [status, batch] = keepsItsPlace as [Buffer, Buffer];
  return bytes.includes(batch) || bytes.includes(status);
};

/** Fisher and Yates. */
function shuffled(count: number, random: Random): readonly number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = random.between(0, last);
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}
