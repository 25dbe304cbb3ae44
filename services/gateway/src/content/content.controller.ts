import { Readable } from 'node:stream';
import { BLOCK_BYTES_MAX } from '@astro/content/block';
import type { Directed } from '@astro/event-sourcing/reactor';
import type { StorageCommand } from '@astro/messages/billing';
import { Controller, HttpCode, Param, Req, Res, StreamableFile } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Commands } from '../commands.js';
import { callerOf, FromCaller, type Caller, type CallerKind } from '../http/caller.js';
import { Problem } from '../http/problem.js';
import { Slots } from '../http/slots.js';
import { Operation } from '../openapi/operation.js';
import { assertAccepted } from '../rejections.js';
import { parseCid, type ContentId } from '@astro/messages/content-id';
import { contentId } from './cid.schema.js';
import { CONTENT_LIMIT_BYTES, ContentStore, contentTooLarge } from './content-store.js';

const UPLOADS_MAX = 64;

const callers = ['tenant', 'operator', 'node'] as const satisfies readonly CallerKind[];
const bytes = { description: 'The bytes', contentType: 'application/octet-stream' } as const;
const stored = z.object({ cid: contentId }).meta({ id: 'StoredContent' });

/** Programs, inputs and outputs by content id. An id is a capability: who knows it may read it. */
@Controller()
export class ContentController {
  private readonly uploads = new Slots(UPLOADS_MAX);

  constructor(
    private readonly store: ContentStore,
    private readonly commands: Commands,
  ) {}

  @Operation('PUT', '/v1/content/:cid', {
    callers,
    summary: 'Store content',
    description:
      `The body is at most ${CONTENT_LIMIT_BYTES} bytes and must have the digest in the id. ` +
      'It is kept for the tenant that stored it, who pays for that until it gives it back. A file of several ' +
      'parts is stored by the list of them (UnixFS) once `PUT /v1/blocks/{cid}` has taken each; `blocks_missing` ' +
      'names those that are to be sent, so that an upload which was cut goes on there.',
    pathParameters: { cid: contentId },
    binaryBody: true,
    answers: {
      201: { description: 'Stored', schema: stored },
      200: { description: 'It was stored already', schema: stored },
    },
    problems: [
      'cid_invalid',
      'content_digest_mismatch',
      'body_too_large',
      'media_type_unsupported',
      'too_many_uploads',
      'storage_full',
      'blocks_missing',
      'commands_unavailable',
      'command_refused',
    ],
  })
  async put(
    @Param('cid') text: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<z.infer<typeof stored>> {
    const cid = contentIdOf(text);
    if (Number(request.headers['content-length'] ?? 0) > CONTENT_LIMIT_BYTES) throw contentTooLarge();
    return this.uploading(async () => {
      const outcome = await this.store.put(cid, bodyOf(request));
      const caller = callerOf(request);
      if (caller.kind === 'tenant') await this.hold(cid.text, caller.id, request);
      reply.status(outcome === 'stored' ? 201 : 200).header('location', `/v1/content/${cid.text}`);
      return { cid: cid.text };
    });
  }

  @Operation('PUT', '/v1/blocks/:cid', {
    callers,
    summary: 'Store a part of a file',
    description: `At most ${BLOCK_BYTES_MAX} bytes. It is removed after a day unless a file that is stored lists it.`,
    pathParameters: { cid: contentId },
    binaryBody: true,
    answers: {
      201: { description: 'Stored', schema: stored },
      200: { description: 'It was stored already', schema: stored },
    },
    problems: [
      'cid_invalid',
      'content_digest_mismatch',
      'body_too_large',
      'media_type_unsupported',
      'too_many_uploads',
      'storage_full',
    ],
  })
  async putBlock(
    @Param('cid') text: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<z.infer<typeof stored>> {
    const cid = contentIdOf(text);
    return this.uploading(async () => {
      const outcome = await this.store.putBlock(cid, bodyOf(request));
      reply.status(outcome === 'stored' ? 201 : 200);
      return { cid: cid.text };
    });
  }

  private async uploading<T>(upload: () => Promise<T>): Promise<T> {
    const release = this.uploads.take();
    if (!release) throw new Problem('too_many_uploads', { headers: { 'retry-after': '1' } });
    try {
      return await upload();
    } finally {
      release();
    }
  }

  @HttpCode(204)
  @Operation('DELETE', '/v1/content/:cid', {
    callers: ['tenant'],
    summary: 'Give content back',
    description:
      'It is not kept for the tenant any more. What others need stays; what is not held changes nothing.',
    pathParameters: { cid: contentId },
    answers: { 204: { description: 'Given back' } },
    problems: ['cid_invalid', 'commands_unavailable', 'command_refused'],
  })
  async release(
    @Param('cid') text: string,
    @FromCaller() { id: tenantId }: Caller,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    const data = { tenantId, cid: contentIdOf(text).text, at: new Date() };
    await this.account({ to: storageOf(tenantId), type: 'ReleaseContent', data }, request);
  }

  /** From now on it is kept for the tenant. */
  private async hold(cid: string, tenantId: string, request: FastifyRequest): Promise<void> {
    const sizeBytes = await this.store.sizeOf(cid);
    if (sizeBytes === undefined) throw new Problem('content_not_stored', { detail: cid });
    const data = { tenantId, contents: [{ cid, sizeBytes }], at: new Date() };
    await this.account({ to: storageOf(tenantId), type: 'StoreContent', data }, request);
  }

  /** What is not decided in time is durable, and will be. */
  private async account(command: Directed<StorageCommand>, request: FastifyRequest): Promise<void> {
    const outcome = await this.commands.request(command, request);
    if (outcome) assertAccepted(outcome);
  }

  // Declared before GET: otherwise the server derives HEAD from it and opens the file for nothing.
  @Operation('HEAD', '/v1/content/:cid', {
    callers,
    summary: 'Ask whether content is stored',
    pathParameters: { cid: contentId },
    answers: { 200: { description: 'It is stored' }, 304: { description: 'The client has it' } },
    problems: ['cid_invalid', 'content_not_stored'],
  })
  async head(
    @Param('cid') text: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const { sizeBytes } = await this.describe(text, request, reply);
    if (reply.statusCode === 200) reply.header('content-length', sizeBytes);
  }

  @Operation('GET', '/v1/content/:cid', {
    callers,
    summary: 'Read content',
    pathParameters: { cid: contentId },
    answers: { 200: bytes, 304: { description: 'The client has it' } },
    problems: ['cid_invalid', 'content_not_stored'],
  })
  async get(
    @Param('cid') text: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile | undefined> {
    const { cid, sizeBytes } = await this.describe(text, request, reply);
    if (reply.statusCode === 304) return undefined;
    return new StreamableFile(this.store.read(cid), { type: 'application/octet-stream', length: sizeBytes });
  }

  private async describe(text: string, request: FastifyRequest, reply: FastifyReply) {
    const cid = contentIdOf(text).text;
    const sizeBytes = await this.store.sizeOf(cid);
    if (sizeBytes === undefined) throw new Problem('content_not_stored', { detail: cid });
    const etag = `"${cid}"`;
    reply.headers({ etag, 'cache-control': 'private, max-age=31536000, immutable' });
    reply.type('application/octet-stream');
    const known =
      request.headers['if-none-match']?.split(',').map(tag => tag.trim().replace(/^W\//, '')) ?? [];
    if (known.includes(etag) || known.includes('*')) reply.status(304);
    return { cid, sizeBytes };
  }
}

/** A request with an empty body has no content type, so that nothing was parsed. */
const bodyOf = ({ body }: FastifyRequest): Readable => (body instanceof Readable ? body : Readable.from([]));

const storageOf = (tenantId: string) => ({ type: 'billing.storage', id: tenantId }) as const;

function contentIdOf(text: string): ContentId {
  const cid = parseCid(text);
  if (!('rule' in cid)) return cid;
  const { rule } = cid;
  throw new Problem('cid_invalid', { detail: `cid: ${rule}`, errors: [{ field: 'cid', rule }] });
}
