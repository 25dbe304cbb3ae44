import { connect as connectPlain, isIP, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import { hostOf, publicLookup } from './public-address.js';

/** Without a byte for so long a request has failed, and an idle connection is closed. */
const SILENCE_MS = 15_000;
/** Of an answer's head, with what came in the same read. */
const HEAD_BYTES_MAX = 64 * 1_024;
const END_OF_HEAD = '\r\n\r\n';
const OK = '200';

export type Answer = { readonly status: number; readonly body: Uint8Array };

export type Destination = {
  readonly url: URL;
  /** Whether a name may lead to an address that only a private network or this machine has. */
  readonly takesPrivateAddresses: boolean;
};

export type Wanted = {
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly limitBytes: number;
  /** Memory for the body, where it is large enough. */
  readonly into?: Uint8Array | undefined;
};

/** A kept connection was closed before it gave a byte of the answer: another one may be tried. */
export class ConnectionIsGone extends Error {
  override readonly name = 'ConnectionIsGone';
}

/** What a connection that the other side has closed fails with. */
const closings: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE']);

type Head = { readonly status: number; readonly sizeBytes: number; readonly isKept: boolean };

type Exchange = Wanted & {
  head?: Head;
  body?: Uint8Array;
  receivedBytes: number;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
};

/**
 * A connection of HTTP/1.1 for one request after the other, whose answers say how large they are. The system puts their
 * bytes right where the block is to be: `node:http` makes two objects of every 64 KiB, and to collect them took more
 * time than anything else that was done for a block.
 */
export class BlockConnection {
  readonly #to: Destination;
  readonly #socket: Socket;
  readonly #head = Buffer.allocUnsafeSlow(HEAD_BYTES_MAX);
  #headBytes = 0;
  #exchange: Exchange | undefined;
  #answers = 0;

  constructor(to: Destination) {
    this.#to = to;
    const onread: OnReadOpts = {
      buffer: () => this.#room(),
      callback: sizeBytes => this.#take(sizeBytes),
    };
    this.#socket = connected(to, onread);
    this.#socket.setNoDelay(true);
    this.#socket.setTimeout(SILENCE_MS, () => this.#socket.destroy(new Error(`${this.origin} is silent`)));
    this.#socket.on('error', (error: NodeJS.ErrnoException) =>
      closings.has(error.code) ? this.#failAsClosed(error) : this.#fail(error),
    );
    this.#socket.on('close', () => this.#failAsClosed());
  }

  get origin(): string {
    return this.#to.url.origin;
  }

  /** By the same rules for addresses: what was let through by others is not used. */
  leadsTo({ url, takesPrivateAddresses }: Destination): boolean {
    return this.origin === url.origin && this.#to.takesPrivateAddresses === takesPrivateAddresses;
  }

  /** Whether another request may be sent. */
  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#exchange === undefined;
  }

  /**
   * @throws ConnectionIsGone; the signal's reason; another Error when the answer is no proper one or has more bytes
   * than the limit
   */
  async get(wanted: Wanted, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    const stop = () => this.#socket.destroy(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await new Promise<Answer>((resolve, reject) => {
        this.#headBytes = 0;
        this.#exchange = { ...wanted, receivedBytes: 0, resolve, reject };
        this.#socket.ref();
        this.#socket.write(requestOf(this.#to.url, wanted));
      });
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** While nobody waits for an answer it keeps no process alive. */
  rest(): void {
    this.#socket.unref();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Where the next bytes go. Asked for right after the last ones came: those of another answer come into the head. */
  #room(): Uint8Array {
    const { head, body, receivedBytes = 0 } = this.#exchange ?? {};
    return head && body ? body.subarray(receivedBytes, head.sizeBytes) : this.#head.subarray(this.#headBytes);
  }

  #take(sizeBytes: number): boolean {
    const exchange = this.#exchange;
    try {
      if (!exchange) throw new Error(`${this.origin} speaks without being asked`);
      if (exchange.head) exchange.receivedBytes += sizeBytes;
      else this.#readHead(exchange, sizeBytes);
      this.#finishIfWhole(exchange);
    } catch (error) {
      this.#fail(error);
      this.#socket.destroy();
    }
    return true;
  }

  #readHead(exchange: Exchange, sizeBytes: number): void {
    this.#headBytes += sizeBytes;
    const received = this.#head.subarray(0, this.#headBytes);
    const end = received.indexOf(END_OF_HEAD);
    if (end < 0 && this.#headBytes === HEAD_BYTES_MAX) throw new Error('the head of the answer is too large');
    if (end < 0) return;
    const head = headIn(received.toString('latin1', 0, end));
    const { limitBytes, into } = exchange;
    if (head.sizeBytes > limitBytes) throw new Error(`it came with more than ${limitBytes} bytes`);
    const body = into && into.length >= head.sizeBytes ? into : Buffer.allocUnsafeSlow(head.sizeBytes);
    const begun = received.subarray(end + END_OF_HEAD.length);
    if (head.isKept && begun.length > head.sizeBytes) throw new Error('more came than the answer has');
    const receivedBytes = Math.min(begun.length, head.sizeBytes);
    body.set(begun.subarray(0, receivedBytes));
    Object.assign(exchange, { head, body, receivedBytes });
  }

  #finishIfWhole({ head, body, receivedBytes, resolve }: Exchange): void {
    if (!head || !body || receivedBytes < head.sizeBytes) return;
    this.#exchange = undefined;
    this.#headBytes = 0;
    this.#answers += 1;
    if (!head.isKept) this.#socket.destroy();
    resolve({ status: head.status, body: new Uint8Array(body.buffer, body.byteOffset, head.sizeBytes) });
  }

  #fail(error: unknown): void {
    this.#exchange?.reject(error);
    this.#exchange = undefined;
  }

  /** Servers close what was idle for long, maybe just when it is used again. */
  #failAsClosed(cause?: Error): void {
    const isGone = this.#answers > 0 && this.#headBytes === 0;
    const message = `${this.origin} ended the connection`;
    this.#fail(isGone ? new ConnectionIsGone(message, { cause }) : new Error(message, { cause }));
  }
}

function connected({ url, takesPrivateAddresses }: Destination, onread: OnReadOpts): Socket {
  const host = hostOf(url.href);
  const looked = takesPrivateAddresses ? {} : { lookup: publicLookup };
  if (url.protocol === 'http:')
    return connectPlain({ host, port: Number(url.port || 80), ...looked, onread });
  const servername = isIP(host) ? {} : { servername: host };
  // Its types do not know that it hands this on.
  const options = { host, port: Number(url.port || 443), ...servername, ...looked, onread };
  return connectSecure(options);
}

function requestOf({ host }: URL, { path, headers }: Wanted): string {
  const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}`);
  if (lines.some(line => /[\r\n]/.test(line))) throw new Error('a header cannot hold a line break');
  return [`GET ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}

/** @throws Error when it is none, or does not say how large the block is */
function headIn(text: string): Head {
  const [first = '', ...lines] = text.split('\r\n');
  const [, minor, status] = /^HTTP\/1\.([01]) ([2-5]\d\d)(?: |$)/.exec(first) ?? [];
  const headers = new Map(
    lines.map(line => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const size = headers.get('content-length') ?? '';
  if (status === undefined) throw new Error('the answer is none of HTTP/1.1');
  if (!/^\d{1,15}$/.test(size) || headers.has('transfer-encoding')) {
    if (status === OK) throw new Error('the answer does not say how large it is');
    // What else a refusal says is of no interest.
    return { status: Number(status), sizeBytes: 0, isKept: false };
  }
  const isKept = minor === '1' && headers.get('connection')?.toLowerCase() !== 'close';
  return { status: Number(status), sizeBytes: Number(size), isKept };
}
