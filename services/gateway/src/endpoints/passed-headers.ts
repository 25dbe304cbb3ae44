import type { HttpHeader } from '@astro/messages/agent';

/** Of one connection, by RFC 9110; what `Connection` names is so too. */
const ofConnection = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The key opens the tenant's account, and is nobody's business behind the gateway. */
const ofGateway = new Set(['authorization', 'host', 'expect', 'x-request-id']);

/** The gateway says these itself, or they would hold for whatever else it serves at its address. */
const ofAddress = new Set([
  'alt-svc',
  'clear-site-data',
  'content-security-policy',
  'cross-origin-resource-policy',
  'ratelimit',
  'ratelimit-policy',
  'referrer-policy',
  'set-cookie',
  'strict-transport-security',
  'x-content-type-options',
  'x-frame-options',
  'x-request-id',
]);

/** What the program gets of a request's headers. @param raw names and values in turn, as they came */
export function requestHeaders(raw: readonly string[], requestId: string): readonly HttpHeader[] {
  const came: HttpHeader[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2)
    came.push({ name: raw[index]!, value: raw[index + 1]! });
  return [
    ...passing(came, ofGateway),
    { name: 'host', value: 'localhost' },
    { name: 'x-request-id', value: requestId },
    { name: 'connection', value: 'close' },
  ];
}

/** What the client gets of an answer's headers. */
export const answerHeaders = (headers: readonly HttpHeader[]): readonly HttpHeader[] =>
  passing(headers, ofAddress);

function passing(headers: readonly HttpHeader[], kept: ReadonlySet<string>): readonly HttpHeader[] {
  const named = headers
    .filter(({ name }) => name.toLowerCase() === 'connection')
    .flatMap(({ value }) => value.split(',').map(token => token.trim().toLowerCase()));
  return headers.filter(({ name }) => {
    const lower = name.toLowerCase();
    return !ofConnection.has(lower) && !kept.has(lower) && !named.includes(lower);
  });
}
