import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Call = { readonly id: number; readonly method: string; readonly params: readonly unknown[] };
export type Answer = { readonly id: number; readonly result?: unknown; readonly error?: unknown };

/** What becomes of one HTTP request: an HTTP status instead of an answer, or the answers after a change. */
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { change(call: Call, answer: Answer): Answer };

export type FaultyEndpoint = {
  readonly url: string;
  /** HTTP requests so far. */
  readonly requests: number;
  /** Asked before each request; undefined lets it through as it is. */
  fault: ((calls: readonly Call[]) => Fault | undefined) | undefined;
  close(): Promise<void>;
};

/** A JSON-RPC endpoint in front of a real node that fails, lags and leaves out as it is told. */
export async function startFaultyEndpoint(upstream: string): Promise<FaultyEndpoint> {
  const endpoint = { requests: 0, fault: undefined as FaultyEndpoint['fault'] };
  const server = createServer((request, response) => {
    endpoint.requests += 1;
    void answer(upstream, endpoint.fault, request, response).catch((error: unknown) => {
      response.writeHead(502).end(String(error));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return Object.assign(endpoint, {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}

async function answer(
  upstream: string,
  fault: FaultyEndpoint['fault'],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const parts: Uint8Array[] = [];
  for await (const part of request) parts.push(part as Uint8Array);
  const body = Buffer.concat(parts).toString();
  const parsed = JSON.parse(body) as Call | readonly Call[];
  const calls: readonly Call[] = Array.isArray(parsed) ? parsed : [parsed as Call];
  const planned = fault?.(calls);
  if (planned && 'status' in planned) {
    response.writeHead(planned.status, planned.headers).end('a fault');
    return;
  }
  const headers = { 'content-type': 'application/json' };
  const answered = (await (await fetch(upstream, { method: 'POST', headers, body })).json()) as
    Answer | Answer[];
  const changed = (item: Answer) =>
    planned
      ? planned.change(
          calls.find(({ id }) => id === item.id)!,
          item,
        )
      : item;
  const result = Array.isArray(answered) ? answered.map(changed) : changed(answered);
  response.writeHead(200, headers).end(JSON.stringify(result));
}
