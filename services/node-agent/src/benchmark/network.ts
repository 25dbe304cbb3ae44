import { medianOf, type Measured } from './figure.ts';

const RUNS = 5;
const RUN_TIMEOUT_MS = 3_000;
const RUN_BYTES_MAX = 4 * 1024 * 1024;
/** The largest answer that the gateway gives to everybody. */
const PATH = '/v1/openapi.json';

/** In KiB a second from the gateway, connection and first byte included. @throws Error when it does not answer */
export async function measureNetwork(gatewayUrl: string, signal?: AbortSignal): Promise<Measured> {
  const rates: number[] = [];
  for (let run = 0; run < RUNS; run++) rates.push(await rateFrom(gatewayUrl + PATH, signal));
  return medianOf(rates);
}

async function rateFrom(url: string, signal?: AbortSignal): Promise<number> {
  const timeout = AbortSignal.timeout(RUN_TIMEOUT_MS);
  const beganMs = performance.now();
  const response = await fetch(url, {
    redirect: 'error',
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  if (!response.ok) throw new Error(`the gateway answered ${response.status}`);
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > RUN_BYTES_MAX) break;
  }
  return (bytes * 1_000) / (1024 * Math.max(1, performance.now() - beganMs));
}
