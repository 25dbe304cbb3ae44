import type { Directed } from '@astro/event-sourcing/reactor';
import { CommandBus, type Outcome } from '@astro/jetstream/command-bus';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { actorOf, callerOf } from './http/caller.js';
import { derivedFrom } from './http/request-ids.js';
import { Problem } from './http/problem.js';
import { GATEWAY_CONFIG, type GatewayConfig } from './gateway.config.js';
import { assertAccepted } from './rejections.js';

export type Asking = {
  /** Tells the commands of one request apart. */
  readonly ordinal?: number;
  readonly timeoutMs?: number;
};

/** Sends commands on behalf of the caller of a request. */
@Injectable()
export class Commands {
  private readonly logger = new Logger('commands');

  constructor(
    private readonly bus: CommandBus,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  /**
   * The outcome, or undefined when the command is durable but nobody has answered in time.
   * @throws Problem `commands_unavailable` when it is not known to be durable
   */
  async request(
    command: Directed,
    request: FastifyRequest,
    { ordinal = 0, timeoutMs = this.config.COMMAND_TIMEOUT_MS }: Asking = {},
  ): Promise<Outcome | undefined> {
    const id = derivedFrom(request, 'command', ordinal);
    try {
      return await this.bus.request(command, {
        id,
        metadata: metadataOf(request),
        timeoutMs,
      });
    } catch (cause) {
      this.logger.warn(`${request.correlationId} ${command.type} was not sent: ${String(cause)}`);
      throw unavailable();
    }
  }

  /** Durable, and nobody waits for what comes of it. A command that could not be sent is logged and forgotten. */
  async tell(command: Directed, request: FastifyRequest, ordinal: number): Promise<void> {
    const id = derivedFrom(request, 'command', ordinal);
    try {
      await this.bus.send(command, { id, metadata: metadataOf(request) });
    } catch (cause) {
      this.logger.warn(`${request.correlationId} ${command.type} was not sent: ${String(cause)}`);
    }
  }

  /**
   * The position of what was recorded, for a command that may be sent again whenever its outcome is not known.
   * @throws Problem when it is refused; `commands_unavailable` when nobody has answered in time
   */
  async execute(command: Directed, request: FastifyRequest): Promise<number> {
    const outcome = await this.request(command, request);
    if (!outcome) throw unavailable();
    assertAccepted(outcome);
    return outcome.position;
  }
}

function metadataOf(request: FastifyRequest) {
  const caller = callerOf(request);
  return {
    correlationId: request.correlationId,
    causationId: request.correlationId,
    actor: actorOf(caller),
    ...(caller.kind === 'tenant' && { tenantId: caller.id }),
  };
}

const unavailable = () => new Problem('commands_unavailable', { headers: { 'retry-after': '2' } });
