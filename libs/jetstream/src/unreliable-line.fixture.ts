import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Server } from 'node:net';

export async function waitFor(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setTimeout(resolve, 20));
}

/** Forwards to the server; can lose what the server answers until the line is cut and made anew. */
export async function startUnreliableLine(port: number) {
  let losing = false;
  const cuts = new Set<() => void>();
  const line: Server = createServer(client => {
    const upstream = createConnection({ port, host: '127.0.0.1' });
    client.pipe(upstream);
    upstream.on('data', data => losing || client.write(data));
    const cut = () => [client, upstream].forEach(socket => socket.destroy());
    client.on('error', cut).on('close', cut);
    upstream.on('error', cut).on('close', cut);
    cuts.add(cut);
  }).listen(0, '127.0.0.1');
  await once(line, 'listening');
  return {
    port: (line.address() as AddressInfo).port,
    loseAnswers: () => (losing = true),
    cut() {
      losing = false;
      for (const cut of cuts) cut();
    },
    close: () => line.close(),
  };
}
