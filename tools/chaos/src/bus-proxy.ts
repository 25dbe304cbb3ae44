import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { FrameShuffler } from './frame-shuffler.js';
import { FrameReader, type Frame } from './nats-frames.js';
import type { Random } from './random.js';

const host = '127.0.0.1';

type Pair = {
  readonly client: Socket;
  readonly server: Socket;
  readonly heard: FrameShuffler;
  readonly said: FrameShuffler;
  name: string | undefined;
};

/**
 * Stands between the bus and its clients. A client that is cut off hears and says nothing: its connections stay open
 * and swallow, as across a network that has parted. What was on its way arrives after healing. A client that is
 * shuffled hears and says its messages in another order. A client is known by where it connects, or by the name that
 * it gives.
 */
export class BusProxy {
  private readonly pairs = new Set<Pair>();
  private readonly cutOff = new Set<string>();
  private readonly shuffled = new Map<string, Random>();

  private readonly servers = new Map<string | undefined, Server>();

  private constructor(private readonly targetPort: () => number) {}

  /**
   * @param targetPort where the bus listens by the time that somebody connects
   * @param names of clients that get an address of their own; everybody else gives a name and shares one.
   */
  static async listen(targetPort: () => number, names: readonly string[] = []): Promise<BusProxy> {
    const proxy = new BusProxy(targetPort);
    for (const name of [undefined, ...names]) {
      const server = createServer(client => proxy.connect(client, name)).listen(0, host);
      await once(server, 'listening');
      proxy.servers.set(name, server);
    }
    return proxy;
  }

  urlFor(name?: string): string {
    const address = this.servers.get(name)?.address();
    if (!address || typeof address === 'string') throw new Error(`the proxy does not listen for ${name}`);
    return `nats://${host}:${address.port}`;
  }

  cut(name: string): void {
    this.cutOff.add(name);
    for (const pair of this.pairsOf(name)) silence(pair);
  }

  heal(name: string): void {
    this.cutOff.delete(name);
    for (const { client, server } of this.pairsOf(name))
      for (const socket of [client, server]) socket.resume();
  }

  shuffle(name: string, random: Random): void {
    this.shuffled.set(name, random);
    for (const { heard, said } of this.pairsOf(name)) for (const way of [heard, said]) way.shuffle(random);
  }

  /** How many messages have left their place on the client's present connections. */
  straighten(name: string): number {
    this.shuffled.delete(name);
    const ways = this.pairsOf(name).flatMap(({ heard, said }) => [heard, said]);
    for (const way of ways) way.straighten();
    return ways.reduce((sum, { moved }) => sum + moved, 0);
  }

  async close(): Promise<void> {
    const closed = [...this.servers.values()].map(server => once(server, 'close'));
    for (const server of this.servers.values()) server.close();
    for (const { client, server } of this.pairs) for (const socket of [client, server]) socket.destroy();
    await Promise.all(closed);
  }

  private pairsOf(name: string): readonly Pair[] {
    return [...this.pairs].filter(pair => pair.name === name);
  }

  private connect(client: Socket, name: string | undefined): void {
    const server = createConnection({ port: this.targetPort(), host });
    const heard = new FrameShuffler(bytes => client.write(bytes));
    const said = new FrameShuffler(bytes => server.write(bytes));
    const pair: Pair = { client, server, heard, said, name: undefined };
    this.pairs.add(pair);
    const end = () => {
      this.pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on('error', end).on('close', end).setNoDelay(true);
    const [fromServer, fromClient] = [new FrameReader(), new FrameReader()];
    server.on('data', data => {
      for (const frame of fromServer.push(data)) heard.take(frame);
    });
    client.on('data', data => {
      for (const frame of fromClient.push(data)) {
        if (frame.verb === 'CONNECT') this.recognise(pair, name ?? nameIn(frame));
        said.take(frame);
      }
    });
  }

  private recognise(pair: Pair, name: string | undefined): void {
    if (name === undefined) return;
    pair.name = name;
    if (this.cutOff.has(name)) silence(pair);
    const random = this.shuffled.get(name);
    if (random) for (const way of [pair.heard, pair.said]) way.shuffle(random);
  }
}

const nameIn = ({ bytes }: Frame): string | undefined =>
  /"name":"([^"]*)"/.exec(bytes.toString('latin1'))?.[1];

function silence({ client, server }: Pair): void {
  for (const socket of [client, server]) socket.pause();
}
