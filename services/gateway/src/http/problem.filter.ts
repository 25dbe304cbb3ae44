import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RouteTable } from './route-table.js';
import { Problem, type ProblemCode } from './problem.js';

/** Answers every error with a problem document; what is not expected is logged and kept from the client. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('http');

  constructor(private readonly routes: RouteTable) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    if (error instanceof HttpException && request.url.startsWith('/health/')) {
      // Probes want what is missing, as every service of the platform answers it.
      void reply.status(error.getStatus()).send(error.getResponse());
      return;
    }
    const problem = problemOf(error, request, this.routes);
    if (problem.status === 500)
      this.logger.error(`${request.correlationId} ${request.method} ${request.url}`, error);
    if (reply.raw.headersSent) {
      // Too late for an answer: the client sees that the stream broke off.
      reply.raw.destroy();
      return;
    }
    void sendProblem(problem, request, reply);
  }
}

function sendProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  for (const name of ['etag', 'content-length', 'content-disposition']) reply.removeHeader(name);
  return reply
    .status(problem.status)
    .headers({ ...problem.headers, 'cache-control': 'no-store' })
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send(problem.document(request.correlationId));
}

/** Fastify's own error codes, where the status alone would not tell. */
const problemOfFastifyCode: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'json_malformed',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'json_malformed',
};

const problemOfStatus: Readonly<Record<number, ProblemCode>> = {
  400: 'request_malformed',
  413: 'body_too_large',
  414: 'uri_too_long',
  415: 'media_type_unsupported',
  431: 'headers_too_large',
  503: 'shutting_down',
};

function problemOf(error: unknown, request: FastifyRequest, routes: RouteTable): Problem {
  if (error instanceof Problem) return error;
  const { status, cause } = httpErrorOf(error);
  if (status === 404) return unroutable(request, routes);
  const code = problemOfFastifyCode[codeOf(cause)] ?? problemOfStatus[status];
  if (code === undefined) return new Problem('internal_error', { detail: `Report ${request.correlationId}` });
  // Fastify and Nest write their 4xx messages for clients; those of 5xx are not.
  return new Problem(code, status < 500 && cause instanceof Error ? { detail: cause.message } : {});
}

function httpErrorOf(error: unknown): { status: number; cause: unknown } {
  if (error instanceof HttpException) return { status: error.getStatus(), cause: error.cause ?? error };
  if (error instanceof SyntaxError) return { status: 'statusCode' in error ? 400 : 500, cause: error };
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  return { status, cause: error };
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** A path without any route, or one that has other methods. */
function unroutable(request: FastifyRequest, routes: RouteTable): Problem {
  const allowed = routes.methodsOf(request.url.split('?', 1)[0]!);
  if (allowed.length === 0)
    return new Problem('route_not_found', { detail: `${request.method} ${request.url}` });
  const allow = allowed.join(', ');
  return new Problem('method_not_allowed', { detail: `Allowed: ${allow}`, headers: { allow } });
}
