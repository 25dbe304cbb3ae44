import { Readable } from 'node:stream';
import { isId } from '@astro/event-sourcing/ids';
import type { Exchange } from '@astro/jetstream/exchange';
import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { callerOf } from '../http/caller.js';
import { Problem } from '../http/problem.js';
import { jobPath } from '../jobs/jobs.schema.js';
import { Operation, type Method } from '../openapi/operation.js';
import { answerHeaders, requestHeaders } from './passed-headers.js';
import { EndpointDirectory, type Endpoint } from './endpoint-directory.js';
import { ReplicaCalls, type Answered } from './replica-calls.js';
import { RequestCounts } from './request-counts.js';
import { SERVICES_PATH } from './services-path.js';
import { TenantSlots } from './tenant-slots.js';

const BYTES_PER_MIB = 1024 * 1024;
const HEADER_BYTES_MAX = 32 * 1024;
/** The agent keeps to the longest pause of an answer; this is for one that does not. */
const GRACE_MS = 5_000;
const withoutBody: ReadonlySet<number> = new Set([204, 205, 304]);

const Passing = (method: Method) =>
  Operation(method, `${SERVICES_PATH}:id/*`, {
    summary: `${method} of a server that a service runs`,
    description:
      'Passed on to a healthy replica of the job, whose answer comes back as it is, piece by piece. What follows the ' +
      "job's id is the path that the program sees.",
    callers: ['tenant'],
    pathParameters: { ...jobPath, path: z.string().meta({ description: 'May hold slashes' }) },
    isPassedOn: true,
    answers: { 200: { description: "The program's answer, whatever its status", contentType: '*/*' } },
    problems: [
      'service_not_found',
      'job_has_ended',
      'body_too_large',
      'too_many_in_flight',
      'service_failed',
      'service_busy',
      'service_unavailable',
      'service_timed_out',
    ],
  });

/** Requests to servers that jobs run: from the tenant of a job to one of its replicas, over the bus. */
@Controller()
export class ServicesController {
  private readonly slots: TenantSlots;

  constructor(
    private readonly directory: EndpointDirectory,
    private readonly calls: ReplicaCalls,
    private readonly counts: RequestCounts,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {
    this.slots = new TenantSlots(config.ENDPOINT_REQUESTS_MAX);
  }

  // Declared before GET: otherwise the server derives HEAD from it.
  @Passing('HEAD')
  head(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.pass(request, reply);
  }

  @Passing('GET')
  get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.pass(request, reply);
  }

  @Passing('POST')
  post(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.pass(request, reply);
  }

  @Passing('PUT')
  put(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.pass(request, reply);
  }

  @Passing('PATCH')
  patch(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.pass(request, reply);
  }

  @Passing('DELETE')
  delete(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.pass(request, reply);
  }

  private async pass(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { id: tenantId } = callerOf(request);
    const endpoint = await this.endpointOf(request, tenantId);
    const release = this.slots.take(tenantId);
    if (!release) throw new Problem('too_many_in_flight', { headers: { 'retry-after': '1' } });
    reply.raw.once('close', release);
    const gone = new AbortController();
    reply.raw.once('close', () =>
      gone.abort(new Problem('service_failed', { detail: 'The client has gone' })),
    );
    const seen = { requests: 1, unanswered: 1, requestBytes: 0, answerBytes: 0 };
    reply.raw.once('close', () => this.counts.add(endpoint.jobId, seen));
    const answered = await this.answerOf(
      endpoint,
      request,
      gone.signal,
      bytes => (seen.requestBytes += bytes),
    );
    seen.unanswered = 0;
    const { status, headers } = answered.answer;
    reply.status(status);
    for (const { name, value } of answerHeaders(headers)) reply.header(name, value);
    // Proxies such as nginx buffer answers unless they are told not to.
    reply.header('x-accel-buffering', 'no');
    if (request.method === 'HEAD' || withoutBody.has(status)) {
      answered.exchange.breakOff('withdrawn', 'there is no body');
      return void reply.send();
    }
    const counted = (bytes: number) => (seen.answerBytes += bytes);
    const pieces = piecesOf(answered, endpoint.server.answerWithinMs + GRACE_MS, counted);
    reply.send(Readable.from(pieces, { objectMode: false }));
  }

  private async endpointOf(request: FastifyRequest, tenantId: string): Promise<Endpoint> {
    const jobId = request.url.slice(SERVICES_PATH.length).split(/[/?]/, 1)[0]!;
    const endpoint = isId('job', jobId) ? await this.directory.find(tenantId, jobId) : undefined;
    if (!endpoint) throw new Problem('service_not_found');
    if (['succeeded', 'failed', 'cancelled'].includes(endpoint.status)) throw new Problem('job_has_ended');
    return endpoint;
  }

  private async answerOf(
    endpoint: Endpoint,
    request: FastifyRequest,
    signal: AbortSignal,
    counted: (bytes: number) => void,
  ): Promise<Answered> {
    const bytesMax = this.config.ENDPOINT_BODY_MIB * BYTES_PER_MIB;
    const tooLarge = () => new Problem('body_too_large', { detail: `The body may have ${bytesMax} bytes` });
    if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge();
    const body = request.body instanceof Readable ? request.body : undefined;
    let sentBytes = 0;
    const send = async (exchange: Exchange) => {
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        sentBytes += chunk.length;
        counted(chunk.length);
        if (sentBytes > bytesMax) throw tooLarge();
        await exchange.write(chunk);
      }
      exchange.finish();
    };
    const path = request.url.slice(SERVICES_PATH.length + endpoint.jobId.length) || '/';
    const headers = requestHeaders(request.raw.rawHeaders, request.correlationId);
    const head = { method: request.method, path, headers, hasBody: body !== undefined };
    const answered = await this.calls.answerOf(endpoint, { head, send, signal });
    const size = answered.answer.headers.reduce(
      (sum, { name, value }) => sum + name.length + value.length,
      0,
    );
    if (size <= HEADER_BYTES_MAX) return answered;
    answered.exchange.breakOff('withdrawn', 'the headers are too large');
    throw new Problem('service_failed', {
      detail: `The answer's headers have more than ${HEADER_BYTES_MAX} bytes`,
    });
  }
}

/** The body of the answer as it comes. Whoever stops reading withdraws the rest. */
async function* piecesOf(
  { exchange }: Answered,
  pauseMaxMs: number,
  counted: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const giveUp = () => exchange.breakOff('late', 'the answer has stopped');
  let late = setTimeout(giveUp, pauseMaxMs);
  try {
    for await (const piece of exchange.body()) {
      clearTimeout(late);
      counted(piece.length);
      yield piece;
      late = setTimeout(giveUp, pauseMaxMs);
    }
  } finally {
    clearTimeout(late);
    exchange.breakOff('withdrawn', 'nobody reads on');
  }
}
