import type { ExchangeFrame, RequestHead } from '@astro/messages/agent';
import { decode, encode } from '@astro/messages/codec';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { Exchange } from './exchange.js';
import { answerSubject, endpointSubject, EXCHANGE_FRAME_TYPE } from './exchange-subjects.js';

/** Of one node, over all its replicas. */
const EXCHANGES_MAX = 512;

export type TakeExchange = (request: RequestHead, exchange: Exchange) => void;

/** The agent's side of exchanges: what a gateway begins with a request is handed on. */
export class ExchangeListener {
  readonly #connection: NatsConnection;
  readonly #nodeId: string;
  readonly #take: TakeExchange;
  readonly #open = new Map<string, Exchange>();

  constructor(connection: NatsConnection, nodeId: string, take: TakeExchange) {
    this.#connection = connection;
    this.#nodeId = nodeId;
    this.#take = take;
    connection.subscribe(endpointSubject(nodeId, '*', '*'), {
      callback: (error, message) => {
        if (!error) this.#hear(message);
      },
    });
  }

  #hear({ subject, data }: Msg): void {
    const [, , callerId, exchangeId] = subject.split('.');
    const answers = answerSubject(this.#nodeId, callerId!, exchangeId!);
    const frame = frameOf(data);
    const known = this.#open.get(subject);
    if (known) {
      if (frame) known.hear(frame);
      else known.breakOff('lost', 'a frame cannot be read');
      return;
    }
    const { request } = frame ?? {};
    // Of an exchange that has ended, here or with the agent's last life; the gateway hears nothing more of it.
    if (!frame || !request) return;
    const exchange = this.#openOn(subject, answers);
    exchange.hear(frame);
    if (this.#open.size > EXCHANGES_MAX) return exchange.breakOff('not_taken', 'the node is busy');
    this.#take(request, exchange);
  }

  #openOn(subject: string, answers: string): Exchange {
    const exchange = new Exchange({
      say: frame => this.#connection.publish(answers, encode(EXCHANGE_FRAME_TYPE, frame)),
      over: () => this.#open.delete(subject),
    });
    this.#open.set(subject, exchange);
    return exchange;
  }
}

function frameOf(data: Uint8Array): ExchangeFrame | undefined {
  try {
    return decode(EXCHANGE_FRAME_TYPE, data) as ExchangeFrame;
  } catch {
    return undefined;
  }
}
