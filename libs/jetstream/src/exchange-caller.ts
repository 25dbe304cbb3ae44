import { newId } from '@astro/event-sourcing/ids';
import type { ExchangeFrame, RequestHead } from '@astro/messages/agent';
import { decode, encode } from '@astro/messages/codec';
import type { Msg, Subscription } from '@nats-io/transport-node';
import type { Bus } from './bus.js';
import { Exchange } from './exchange.js';
import { answerSubject, endpointSubject, EXCHANGE_FRAME_TYPE } from './exchange-subjects.js';
import { assertToken } from './subjects.js';

/** How the server says that nobody listens to a subject. */
const NO_RESPONDERS = 503;

/** The platform's side of exchanges with agents: as many at once as the caller lets there be. */
export class ExchangeCaller {
  readonly #bus: Bus;
  readonly #callerId = newId('gateway');
  readonly #open = new Map<string, Exchange>();
  readonly #answers: Subscription;

  constructor(bus: Bus) {
    this.#bus = bus;
    this.#answers = bus.connection.subscribe(answerSubject('*', this.#callerId, '*'), {
      callback: (error, message) => {
        if (!error) this.#hear(message);
      },
    });
  }

  /** Answers and refusals come to the exchange; where nobody listens it breaks off as `not_here`. */
  call(nodeId: string, request: RequestHead): Exchange {
    const exchangeId = newId('exchange');
    const subject = endpointSubject(assertToken(nodeId), this.#callerId, exchangeId);
    const answers = answerSubject(nodeId, this.#callerId, exchangeId);
    const exchange = new Exchange({
      say: frame => {
        // The address for answers makes the server tell that there is nobody.
        const options = frame.number === 1 ? { reply: answers } : {};
        this.#bus.connection.publish(subject, encode(EXCHANGE_FRAME_TYPE, frame), options);
      },
      over: () => this.#open.delete(answers),
    });
    this.#open.set(answers, exchange);
    exchange.request(request);
    return exchange;
  }

  close(): void {
    for (const exchange of this.#open.values()) exchange.breakOff('withdrawn', 'the gateway stops');
    this.#answers.unsubscribe();
  }

  /** The server lets an agent speak below its own node's name only, so that the subject says who does. */
  #hear({ subject, data, headers }: Msg): void {
    const exchange = this.#open.get(subject);
    if (!exchange) return;
    if (headers?.code === NO_RESPONDERS) return exchange.lose('not_here', 'the node is not connected');
    let frame: ExchangeFrame;
    try {
      frame = decode(EXCHANGE_FRAME_TYPE, data) as ExchangeFrame;
    } catch {
      return exchange.breakOff('lost', 'the node does not speak the protocol of exchanges');
    }
    exchange.hear(frame);
  }
}
