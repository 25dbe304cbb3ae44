import { decodeJwt } from 'jose';
import { z } from 'zod';

/** What logs the node in to the bus, together with its key. */
export const credentials = z.object({
  jwt: z.string().min(1),
  expiresAt: z.iso.datetime().transform(text => new Date(text)),
  servers: z.array(z.string()).min(1),
});
export type Credentials = z.output<typeof credentials>;

/** How long they count, from when they were made: by the clock that will judge them, whatever this machine's says. */
export function lifeMsOf({ jwt }: Credentials): number {
  const { iat = 0, exp = 0 } = decodeJwt(jwt);
  return (exp - iat) * 1_000;
}
