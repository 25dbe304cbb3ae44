import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';

/** Enough for a client's CONNECT line, in which it says its name. */
const greetingMax = 16_384;
const host = '127.0.0.1';

type Pair = { readonly client: Socket; readonly server: Socket; name: string | undefined; greeting: string };

/**
 * Stands between agents and the bus. A client that is cut off, by the name it gave, hears and says nothing: its
 * connections stay open and swallow, as across a network that has parted. What was on its way arrives after healing.
 */
export class PartitionProxy {
  private readonly pairs = new Set<Pair>();
  private readonly cutOff = new Set<string>();

  private constructor(
    private readonly server: Server,
    private readonly targetPort: () => number,
  ) {}

  static async listen(targetPort: () => number): Promise<PartitionProxy> {
    const server = createServer().listen(0, host);
    await once(server, 'listening');
    const proxy = new PartitionProxy(server, targetPort);
    server.on('connection', client => proxy.connect(client));
    return proxy;
  }

  get url(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return `nats://${host}:${address.port}`;
  }

  cut(name: string): void {
    this.cutOff.add(name);
    for (const pair of this.pairs) if (pair.name === name) silence(pair);
  }

  heal(name: string): void {
    this.cutOff.delete(name);
    for (const pair of this.pairs)
      if (pair.name === name) for (const socket of [pair.client, pair.server]) socket.resume();
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const { client, server } of this.pairs) for (const socket of [client, server]) socket.destroy();
    await closed;
  }

  private connect(client: Socket): void {
    const server = createConnection({ port: this.targetPort(), host });
    const pair: Pair = { client, server, name: undefined, greeting: '' };
    this.pairs.add(pair);
    const end = () => {
      this.pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on('error', end).on('close', end).setNoDelay(true);
    server.on('data', data => client.write(data));
    client.on('data', data => {
      if (pair.name === undefined) this.recognise(pair, data);
      server.write(data);
    });
  }

  private recognise(pair: Pair, data: Buffer): void {
    pair.greeting = (pair.greeting + data.toString('latin1')).slice(0, greetingMax);
    const name = /^CONNECT .*"name":"([^"]*)"/m.exec(pair.greeting)?.[1];
    if (name === undefined) return;
    pair.name = name;
    if (this.cutOff.has(name)) silence(pair);
  }
}

function silence({ client, server }: Pair): void {
  for (const socket of [client, server]) socket.pause();
}
