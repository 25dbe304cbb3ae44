import { derivedId, newId } from '@astro/event-sourcing/ids';
import type { FastifyRequest } from 'fastify';

/**
 * An id for something that this request makes. With an idempotency key it follows from the key, so that a
 * repetition after a crash makes the same thing again, which changes nothing.
 */
export const derivedFrom = (request: FastifyRequest, prefix: string, index = 0): string =>
  request.idempotencyScope === undefined ? newId(prefix) : derivedId(prefix, request.idempotencyScope, index);
