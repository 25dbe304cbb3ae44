import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** Who sends the request, once it is authenticated. */
export type Caller = {
  readonly kind: CallerKind;
  readonly id: string;
  /** Of the API key that it has shown; a node shows none. */
  readonly apiKeyId?: string;
};
export type CallerKind = 'tenant' | 'operator' | 'node';

declare module 'fastify' {
  interface FastifyRequest {
    /** Shared by all that follows from this request; also `x-request-id` of the answer. */
    correlationId: string;
    caller: Caller | undefined;
    /** Set when the client sent an idempotency key: ids of what the request makes are derived from it. */
    idempotencyScope: string | undefined;
  }
}

export const actorOf = (caller: Caller): string => `${caller.kind}:${caller.id}`;

/** @throws Error on a route that forgot to authenticate */
export function callerOf(request: FastifyRequest): Caller {
  if (!request.caller) throw new Error(`${request.url} is handled without a caller`);
  return request.caller;
}

/** The authenticated caller as a handler's argument. */
export const FromCaller = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  callerOf(context.switchToHttp().getRequest<FastifyRequest>()),
);
