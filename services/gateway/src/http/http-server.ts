import { newId } from '@astro/event-sourcing/ids';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from './problem.js';
import type { RouteTable } from './route-table.js';

/**
 * Largest JSON body. A submitted job travels as one NATS message of at most 1 MiB: its protobuf form is smaller than
 * its JSON, but for the task ids that are added (34 bytes each, at most 1,000), and for the headers.
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

/** Sets the server up before Nest registers its routes: bodies, headers of every answer, and the table of routes. */
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

/** What is not even HTTP never reaches a handler; it is answered on the bare connection. */
function answerBrokenRequests(server: FastifyInstance): void {
  server.server.removeAllListeners('clientError');
  server.server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const problem = new Problem(
      error.code === 'HPE_HEADER_OVERFLOW' ? 'headers_too_large' : 'request_malformed',
    );
    const body = JSON.stringify(problem.document(newId('request')));
    const head = [
      `HTTP/1.1 ${problem.status} ${problem.status === 431 ? 'Request Header Fields Too Large' : 'Bad Request'}`,
      'content-type: application/problem+json',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  });
}
