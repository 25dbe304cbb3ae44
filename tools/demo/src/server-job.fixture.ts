import { bubblewrapBinary } from '@astro/devstack/bubblewrap';
import type { Platform } from '@astro/devstack/platform';

/** Where the nodes of servers are, each with room for one replica. */
const regions = { gamma: 'ca-tor', delta: 'ca-van' } as const;

/** Two agents of two operators that run processes, and nothing else. */
export async function startServerAgents(platform: Platform, pricePerSecondAtto: bigint): Promise<void> {
  const settings = { RUNTIMES: 'process', BUBBLEWRAP: await bubblewrapBinary() };
  for (const name of ['gamma', 'delta'] as const) {
    const { apiKey: operatorKey } = await platform.administration().registerOperator(`Operator of ${name}`);
    const offer = { region: regions[name], pricePerSecondAtto, cpuMillis: 1_000, memoryMib: 512 };
    await platform.startAgent({ name, operatorKey, ...offer, heartbeatMs: 500, settings });
  }
}

/** A service of two replicas of the program, which is a server. */
export const serverRequest = (cid: string, maxPricePerSecondAtto: string, budgetAtto: string) => ({
  name: 'tokens, one after the other',
  program: { cid, runtime: 'process', timeLimitMs: 1_000, memoryLimitMib: 64, outputLimitBytes: 1_000 },
  requirements: {
    ...{ deviceKind: 'cpu', cpuMillis: 1_000, memoryMib: 128, maxPricePerSecondAtto },
    regions: Object.values(regions),
  },
  quorum: 1,
  tasks: [{ inputs: [] }],
  service: {
    ...{ replicasMin: 2, replicasMax: 2, periodMs: 1_000, budgetAtto },
    ...{ port: 8_080, requestsAtOnce: 16, answerWithinMs: 3_000 },
    health: { path: '/health', intervalMs: 200, timeoutMs: 5_000 },
  },
});

export type Asking = { readonly key?: string; readonly method?: string; readonly body?: string };
export type Answered = {
  readonly status: number;
  readonly headers: Headers;
  /** As they came. */
  readonly pieces: readonly string[];
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
};

/** How a client asks the server that the job runs. */
export const endpointOf =
  (gatewayUrl: string, jobId: string) =>
  async (path: string, { key, method = 'GET', body }: Asking): Promise<Answered> => {
    const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const { status, headers, pieces } = await fetchPieces(`${gatewayUrl}/v1/services/${jobId}${path}`, {
      method,
      headers: { ...authorization, 'x-mine': 'yes' },
      ...(body !== undefined && { body }),
    });
    const text = pieces.join('');
    const isJson = /json/.test(headers.get('content-type') ?? '');
    const json = isJson ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status, headers, pieces, text, json };
  };

async function fetchPieces(url: string, init: RequestInit) {
  const { status, headers, body } = await fetch(url, init);
  const pieces: string[] = [];
  for await (const piece of body ?? []) pieces.push(new TextDecoder().decode(piece as Uint8Array));
  return { status, headers, pieces };
}
