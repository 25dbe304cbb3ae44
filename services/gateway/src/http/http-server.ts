import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { newId } from '@astro/event-sourcing/ids';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SERVICES_PATH } from '../endpoints/services-path.js';
import { Problem, type ProblemCode } from './problem.js';
import type { RouteTable } from './route-table.js';

/**
 * Largest JSON body. A submitted job travels as one NATS message of at most 1 MiB: its protobuf form is
 * smaller than its JSON, but for the task ids that are added (34 bytes each, at most 1,000), and for the
 * headers.
 */
export const JSON_BODY_LIMIT_BYTES = 960 * 1024;

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'strict-transport-security': 'max-age=31536000',
} as const;

/**
 * Sets the server up before Nest registers its routes: bodies, headers of every answer, and the table of
 * routes.
 */
export function configureHttp(adapter: FastifyAdapter, routes: RouteTable): void {
  const server: FastifyInstance = adapter.getInstance();
  server.decorateRequest('correlationId', '');
  server.decorateRequest('caller', undefined);
  server.decorateRequest('idempotencyScope', undefined);
  server.addHook('onRoute', route => routes.add(route.path, route.method));
  server.addHook('onRequest', async (request, reply) => {
    request.correlationId = newId('request');
    reply.headers({
      ...SECURITY_HEADERS,
      'cache-control': 'no-store',
      'x-request-id': request.correlationId,
    });
    // A stream to Fastify, whatever it is to the program, which is told in the words of the client.
    if (request.url.startsWith(SERVICES_PATH) && hasBody(request))
      request.headers['content-type'] = 'application/octet-stream';
  });
  adapter.useBodyParser('application/json', false, { bodyLimit: JSON_BODY_LIMIT_BYTES });
  adapter.useBodyParser('application/x-www-form-urlencoded', false, {}, (_request, _body, done) =>
    done(new Problem('media_type_unsupported', { detail: 'Send application/json' })),
  );
  server.removeContentTypeParser('text/plain');
  // Uploads are not held in memory: the handler reads the stream and keeps its own limit.
  server.addContentTypeParser('application/octet-stream', (_request: FastifyRequest, payload, done) =>
    done(null, payload),
  );
  answerBrokenRequests(server);
}

const hasBody = ({ headers }: FastifyRequest) =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Longest part of a path; the longest id has 59 characters. */
const SEGMENT_LENGTH_MAX = 100;

/**
 * Two kinds of request never reach a hook or handler: what is not even HTTP, and what the router cannot take
 * apart. Both would be answered in a form of the server's own, so they are answered here, on the bare
 * connection.
 */
function answerBrokenRequests({ server }: FastifyInstance): void {
  server.removeAllListeners('clientError');
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const { status, headers, body } = bareAnswer(
      error.code === 'HPE_HEADER_OVERFLOW' ? 'headers_too_large' : 'request_malformed',
    );
    const lines = Object.entries({ ...headers, connection: 'close' }).map(
      ([name, value]) => `${name}: ${value}`,
    );
    socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', body].join('\r\n'));
  });
  const listeners = server.listeners('request') as ((
    request: IncomingMessage,
    response: ServerResponse,
  ) => void)[];
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const flaw = flawOfTarget(request.url ?? '/');
    if (flaw === undefined) return listeners.forEach(listener => listener.call(server, request, response));
    const { status, headers, body } = bareAnswer(flaw);
    response.writeHead(status, headers).end(body);
  });
}

function flawOfTarget(target: string): ProblemCode | undefined {
  const path = target.split('?', 1)[0]!;
  if (path.split('/').some(segment => segment.length > SEGMENT_LENGTH_MAX)) return 'uri_too_long';
  try {
    decodeURIComponent(path);
    return undefined;
  } catch {
    return 'request_malformed';
  }
}

function bareAnswer(code: ProblemCode) {
  const problem = new Problem(code);
  const requestId = newId('request');
  const body = JSON.stringify(problem.document(requestId));
  const headers = {
    ...SECURITY_HEADERS,
    'cache-control': 'no-store',
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'x-request-id': requestId,
  };
  return { status: problem.status, headers, body };
}
