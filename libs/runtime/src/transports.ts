import { Injectable } from '@nestjs/common';
import type { CustomTransportStrategy } from '@nestjs/microservices';

/** Transports besides HTTP that bring messages to controllers; `startService` connects what modules add here. */
@Injectable()
export class Transports {
  readonly #strategies: CustomTransportStrategy[] = [];

  add(strategy: CustomTransportStrategy): void {
    this.#strategies.push(strategy);
  }

  get all(): readonly CustomTransportStrategy[] {
    return this.#strategies;
  }
}
