import type { AnswerHead, BreachCause, ExchangeFrame, RequestHead } from '@astro/messages/agent';

export const CHUNK_BYTES_MAX = 64 * 1024;
/** Frames with a body that may be under way, which bounds what either side holds: 1 MiB. */
const WINDOW_FRAMES = 16;
/** Granted at once, so that not every frame costs another. */
const GRANT_FRAMES = WINDOW_FRAMES / 2;
/** Whoever has nothing to say says so this often, and is taken for gone when nothing came for a while. */
const SIGN_OF_LIFE_MS = 2_000;
const SILENCE_MAX_MS = 10_000;

/** The exchange is over before its end. */
export class ExchangeBroken extends Error {
  override readonly name = 'ExchangeBroken';

  constructor(
    readonly breach: BreachCause,
    detail: string,
  ) {
    super(detail);
  }
}

export type Wire = {
  say(frame: ExchangeFrame): void;
  /** Nothing is said or heard any more. */
  over(): void;
};

type Said = Partial<Omit<ExchangeFrame, 'number'>>;

/**
 * One side of an exchange. Frames are numbered, so that a lost one is noticed; a body is sent only as far as the other
 * side has granted, so that who reads slowly slows down who writes; silence ends it, so that nobody waits for the dead.
 */
export class Exchange {
  readonly #wire: Wire;
  readonly #alive: NodeJS.Timeout;
  readonly #ended = new AbortController();
  readonly #inbox: Uint8Array[] = [];
  #waiting: (() => void)[] = [];
  #said = 0;
  #saidAtMs = performance.now();
  #heard = 0;
  #heardAtMs = performance.now();
  /** Frames with a body that this side may still send, and those that the other side may. */
  #credit = 0;
  #granted = 0;
  #taken = 0;
  #hasSaidAll = false;
  #hasHeardAll = false;
  #answer: AnswerHead | undefined;
  #broken: ExchangeBroken | undefined;

  constructor(wire: Wire) {
    this.#wire = wire;
    this.#alive = setInterval(() => this.#showLife(), SIGN_OF_LIFE_MS);
  }

  /** Aborts when the exchange breaks off or both sides have said all. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  get broken(): ExchangeBroken | undefined {
    return this.#broken;
  }

  get hasHeardAll(): boolean {
    return this.#hasHeardAll;
  }

  request(request: RequestHead): void {
    this.#say({ request, isLast: !request.hasBody, credit: this.#grant(WINDOW_FRAMES) });
  }

  answer(answer: AnswerHead): void {
    this.#say({ answer });
  }

  /** The other side may send its body from now on. */
  welcome(): void {
    this.#say({ credit: this.#grant(WINDOW_FRAMES) });
  }

  /** @throws ExchangeBroken */
  async answered(): Promise<AnswerHead> {
    while (!this.#answer) await this.#change();
    return this.#answer;
  }

  /** Whether the other side takes a body. @throws ExchangeBroken */
  async welcomed(): Promise<void> {
    while (this.#credit === 0) await this.#change();
  }

  /** What the other side sends, as fast as it is taken. @throws ExchangeBroken */
  async *body(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#inbox.shift();
      if (chunk) {
        this.#taken += 1;
        if (this.#taken % GRANT_FRAMES === 0) this.#say({ credit: this.#grant(GRANT_FRAMES) });
        yield chunk;
      } else if (this.#hasHeardAll) return;
      else await this.#change();
    }
  }

  /** Resolves when all of it is on its way. @throws ExchangeBroken */
  async write(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length; start += CHUNK_BYTES_MAX) {
      await this.welcomed();
      if (this.#broken) throw this.#broken;
      this.#credit -= 1;
      this.#say({ body: bytes.subarray(start, start + CHUNK_BYTES_MAX) });
    }
  }

  /** This side has said all. */
  finish(): void {
    if (!this.#hasSaidAll) this.#say({ isLast: true });
  }

  /** Ends it for both sides. */
  breakOff(cause: BreachCause, detail: string): void {
    if (this.#ended.signal.aborted) return;
    this.#say({ breach: { cause, detail } });
    this.#end(new ExchangeBroken(cause, detail));
  }

  /** Ends it for this side alone, where the other one is known not to be there. */
  lose(cause: BreachCause, detail: string): void {
    if (!this.#ended.signal.aborted) this.#end(new ExchangeBroken(cause, detail));
  }

  hear(frame: ExchangeFrame): void {
    if (this.#ended.signal.aborted) return;
    this.#heardAtMs = performance.now();
    this.#heard += 1;
    const { number, answer, body, isLast, credit, breach } = frame;
    if (number !== this.#heard) return this.breakOff('lost', `frame ${this.#heard} was lost`);
    if (breach) return this.#end(new ExchangeBroken(breach.cause, breach.detail));
    if (body && !this.#mayBeSent(body)) return this.breakOff('lost', 'more was sent than was granted');
    if (body) this.#inbox.push(body);
    this.#answer ??= answer;
    this.#credit += credit;
    this.#hasHeardAll ||= isLast;
    this.#tell();
    if (this.#hasHeardAll && this.#hasSaidAll) this.#end();
  }

  #mayBeSent(body: Uint8Array): boolean {
    if (this.#granted === 0 || this.#hasHeardAll || body.length > CHUNK_BYTES_MAX) return false;
    this.#granted -= 1;
    return true;
  }

  #grant(frames: number): number {
    this.#granted += frames;
    return frames;
  }

  #say(said: Said): void {
    if (this.#ended.signal.aborted) return;
    this.#said += 1;
    this.#saidAtMs = performance.now();
    this.#hasSaidAll ||= said.isLast === true;
    this.#wire.say({ number: this.#said, isLast: false, credit: 0, ...said });
    if (this.#hasHeardAll && this.#hasSaidAll) this.#end();
  }

  #showLife(): void {
    const nowMs = performance.now();
    if (nowMs - this.#heardAtMs > SILENCE_MAX_MS) this.breakOff('lost', 'the other side is silent');
    else if (nowMs - this.#saidAtMs >= SIGN_OF_LIFE_MS / 2) this.#say({});
  }

  /** @throws ExchangeBroken */
  async #change(): Promise<void> {
    if (this.#broken) throw this.#broken;
    if (this.#ended.signal.aborted) throw new ExchangeBroken('lost', 'the exchange is over');
    await new Promise<void>(resolve => this.#waiting.push(resolve));
  }

  #tell(): void {
    const told = this.#waiting;
    this.#waiting = [];
    for (const resolve of told) resolve();
  }

  #end(broken?: ExchangeBroken): void {
    clearInterval(this.#alive);
    this.#broken = broken;
    this.#ended.abort(broken);
    this.#tell();
    this.#wire.over();
  }
}
