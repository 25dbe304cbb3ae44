import { Readable } from 'node:stream';
import { carOf } from '@astro/content/car';
import { headersOf, isKnown, rangeOf, wishOf } from '@astro/content/trustless';
import { Controller, Param, Req, Res, StreamableFile } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { contentId } from './cid.schema.js';
import { ContentStore } from './content-store.js';

const query = z.object({
  format: z.string().max(16).optional().meta({ description: '`raw` or `car`; or as `Accept` says' }),
  'dag-scope': z.string().max(16).optional().meta({ description: '`block`, `entity` or `all`' }),
  'entity-bytes': z
    .string()
    .max(40)
    .optional()
    .meta({ description: '`FROM:TO`, both included; `*` is the end' }),
});

const problemOf = {
  400: 'request_invalid',
  404: 'content_not_stored',
  406: 'format_not_acceptable',
} as const;

/** The content as a trustless gateway of the IPFS specification: blocks, which whoever asked checks. */
@Controller()
export class TrustlessController {
  constructor(private readonly store: ContentStore) {}

  @Operation('GET', '/ipfs/:cid', {
    callers: ['tenant', 'operator', 'node'],
    summary: 'Read blocks',
    description: 'A block (`application/vnd.ipld.raw`) or the blocks of a file (`application/vnd.ipld.car`).',
    pathParameters: { cid: contentId },
    query,
    answers: {
      200: { description: 'The blocks', contentType: 'application/octet-stream' },
      304: { description: 'The client has them' },
    },
    problems: ['cid_invalid', 'content_not_stored', 'format_not_acceptable'],
  })
  async get(
    @Param('cid') path: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile | undefined> {
    const { accept } = request.headers;
    const wish = wishOf({ path, query: new URL(request.url, 'http://localhost').searchParams, accept });
    if ('status' in wish) throw new Problem(problemOf[wish.status], { detail: wish.reason });
    const sizeBytes = await this.store.sizeOfBlock(wish.cid);
    if (sizeBytes === undefined) throw new Problem('content_not_stored', { detail: wish.cid });
    const headers = headersOf(wish);
    reply.headers(headers);
    if (isKnown(request.headers['if-none-match'], headers.etag)) {
      reply.status(304);
      return undefined;
    }
    const type = headers['content-type'];
    if (wish.format === 'raw')
      return new StreamableFile(await this.store.readBlock(wish.cid), { type, length: sizeBytes });
    const read = (cid: string) => this.store.block(cid);
    const blocks = carOf(wish.cid, read, await rangeOf(wish, read));
    return new StreamableFile(Readable.from(blocks, { objectMode: false }), { type });
  }
}
