import { CodecError } from '@astro/messages/codec';

/** Thrown by a handler for a message that no retry can help: it goes to the dead letters at once. */
export class Unprocessable extends Error {
  override readonly name = 'Unprocessable';
}

export const isUnprocessable = (error: unknown): boolean =>
  error instanceof Unprocessable || error instanceof CodecError;
