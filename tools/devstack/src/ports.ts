import { createServer } from 'node:net';
import { randomInt } from 'node:crypto';

/**
 * Below the range from which systems lend ports to outgoing connections (Linux: 32768 up, others: 49152 up), so that
 * no connection takes a service's port while the service restarts.
 */
const lowest = 20_000;
const highest = 32_000;
const attempts = 200;

/** A port of 127.0.0.1 that nobody listens on: `preferred`, when it is given and free, or one drawn by chance. */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const port = randomInt(lowest, highest);
    if (await isFree(port)) return port;
  }
  throw new Error(`No free port between ${lowest} and ${highest} after ${attempts} attempts.`);
}

/** Both addresses are tried: some systems let a second server listen on one while a first listens on the other. */
export const isFree = async (port: number) =>
  (await canListen(port, '127.0.0.1')) && (await canListen(port, '0.0.0.0'));

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' || error.code === 'EACCES' ? resolve(false) : reject(error),
    );
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
