import { isId } from '@astro/event-sourcing/ids';
import type { NodeCommand } from '@astro/messages/registry';
import { Body, Controller, HttpCode, Param, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { Commands } from '../commands.js';
import { Authentication } from '../http/authentication.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { invalidField, Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { NodeCredentials } from './node-credentials.js';
import { NODES_PROJECTION } from './node-resource.js';
import * as schema from './nodes.schema.js';

/** How the key of a node is changed, replaced when it is lost, and ended. */
@Controller()
export class NodeKeysController {
  constructor(
    private readonly commands: Commands,
    private readonly readModels: ReadModels,
    private readonly credentials: NodeCredentials,
    private readonly authentication: Authentication,
  ) {}

  @HttpCode(200)
  @Operation('PUT', '/v1/nodes/:id/key', {
    summary: 'Replace the key of a node',
    description:
      'The node keeps its id, its leases and what is known of it; nothing that was issued for the earlier key counts ' +
      'any more. A node signs with both keys; its operator replaces a lost one, and the new key alone signs.',
    callers: ['node', 'operator'],
    pathParameters: schema.nodePath,
    body: schema.newKey,
    answers: { 200: { description: 'New credentials, for the new key', schema: schema.credentials } },
    problems: ['node_not_found', 'node_revoked', 'command_refused'],
  })
  async replace(
    @Param('id') nodeId: string,
    @FromCaller() caller: Caller,
    @Body() { publicKey, signatureByNew, signatureByCurrent }: schema.NewKey,
    @Req() request: FastifyRequest,
  ): Promise<z.infer<typeof schema.credentials>> {
    const proof = { nodeId, publicKey, signatureByNew };
    if (caller.kind === 'operator')
      await this.execute({ type: 'RecoverNodeKey', data: { ...proof, operatorId: caller.id } }, request);
    else {
      if (caller.id !== nodeId) throw new Problem('node_not_found');
      if (signatureByCurrent === undefined) throw invalidField('signatureByCurrent', 'is missing');
      await this.execute({ type: 'RotateNodeKey', data: { ...proof, signatureByCurrent } }, request);
    }
    return this.credentials.issue(nodeId, publicKey, new Date());
  }

  @HttpCode(200)
  @Operation('POST', '/v1/nodes/:id/revoke', {
    summary: 'Revoke a node',
    description:
      'Its connection is closed, nothing that it was given counts any more, and its leases end as lost. ' +
      'A new key from its operator brings it back.',
    callers: ['operator'],
    pathParameters: schema.nodePath,
    body: schema.revocation,
    answers: { 200: { description: 'Revoked', schema: schema.revoked } },
    problems: ['node_not_found', 'command_refused'],
  })
  async revoke(
    @Param('id') nodeId: string,
    @FromCaller() operator: Caller,
    @Body() { reason }: schema.Revocation,
    @Req() request: FastifyRequest,
  ): Promise<z.infer<typeof schema.revoked>> {
    const data = { nodeId, operatorId: operator.id, reason, at: new Date() };
    await this.execute({ type: 'RevokeNode', data }, request);
    return { nodeId };
  }

  /** Resolves once the edge itself knows of it, so that what is asked for next is judged by it. */
  private async execute(
    command: NodeCommand & { readonly data: { readonly nodeId: string } },
    request: FastifyRequest,
  ): Promise<void> {
    const { nodeId } = command.data;
    if (!isId('node', nodeId)) throw new Problem('node_not_found');
    const position = await this.commands.execute(
      { to: { type: 'registry.node', id: nodeId }, ...command },
      request,
    );
    await this.readModels.includes(NODES_PROJECTION, position);
    this.authentication.forgetKeyOf(nodeId);
  }
}
