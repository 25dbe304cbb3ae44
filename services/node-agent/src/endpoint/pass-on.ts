import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { ExchangeBroken, type Exchange } from '@astro/jetstream/exchange';
import { reasonOf } from '@astro/jetstream/log';
import type { HttpHeader, RequestHead } from '@astro/messages/agent';
import type { ProgramPort } from './program-port.js';

const REASON_CHARACTERS_MAX = 200;

/**
 * Hands the request of an exchange to the program, and the program's answer to the exchange, each piece as it comes.
 * Resolves when it is over, however it ends.
 */
export async function passOn(
  request: RequestHead,
  exchange: Exchange,
  port: ProgramPort,
  answerWithinMs: number,
): Promise<void> {
  let socket: Socket;
  try {
    socket = await port.connect(exchange.ended);
  } catch (error) {
    return exchange.breakOff('not_listening', shortened(error));
  }
  const patience = new Patience(answerWithinMs, () => {
    exchange.breakOff('late', `no answer for ${answerWithinMs} ms`);
  });
  const stop = () => socket.destroy();
  exchange.ended.addEventListener('abort', stop, { once: true });
  try {
    const outgoing = httpRequest({
      createConnection: () => socket,
      method: request.method,
      path: request.path,
      headers: request.headers.flatMap(({ name, value }) => [name, value]),
    });
    const answered = answerOf(outgoing);
    // It is awaited below, whenever it fails.
    answered.catch(() => undefined);
    exchange.welcome();
    await Promise.race([sendBody(exchange, outgoing), answered]);
    patience.restart();
    const answer = await answered;
    exchange.answer({ status: answer.statusCode ?? 502, headers: headersOf(answer) });
    for await (const chunk of answer as AsyncIterable<Uint8Array>) {
      patience.stop();
      await exchange.write(chunk);
      patience.restart();
    }
    exchange.finish();
  } catch (error) {
    if (!(error instanceof ExchangeBroken)) exchange.breakOff('broken_off', shortened(error));
  } finally {
    patience.stop();
    exchange.ended.removeEventListener('abort', stop);
    socket.destroy();
  }
}

/** Of the program; how long the client takes with its body, or to read, is not counted. */
class Patience {
  readonly #ms: number;
  readonly #over: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, over: () => void) {
    this.#ms = ms;
    this.#over = over;
  }

  restart(): void {
    this.stop();
    this.#timer = setTimeout(this.#over, this.#ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

async function sendBody(exchange: Exchange, outgoing: ClientRequest): Promise<void> {
  for await (const chunk of exchange.body())
    if (!outgoing.write(chunk)) await once(outgoing, 'drain', { signal: exchange.ended });
  outgoing.end();
}

function answerOf(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve).on('error', reject);
  });
}

function headersOf({ rawHeaders }: IncomingMessage): readonly HttpHeader[] {
  const headers: HttpHeader[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2)
    headers.push({ name: rawHeaders[index]!, value: rawHeaders[index + 1]! });
  return headers;
}

const shortened = (error: unknown) => reasonOf(error).slice(0, REASON_CHARACTERS_MAX);
