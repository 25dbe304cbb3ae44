import { derivedId } from '@astro/event-sourcing/ids';
import { rawPublicKey } from '@astro/messages/nkey';
import type { NodeCommand } from '@astro/messages/registry';
import type { Directed } from '@astro/event-sourcing/reactor';
import { findNode, findNodeByKey, pageOfNodes } from '@astro/read-models/registry/nodes';
import { Body, Controller, HttpCode, Param, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { Commands } from '../commands.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { decodeCursor } from '../http/cursor.js';
import { toPage } from '../http/page.js';
import { invalidField, Problem } from '../http/problem.js';
import { nothing } from '../jobs/jobs.schema.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { assertAccepted } from '../rejections.js';
import { NodeCredentials } from './node-credentials.js';
import { NodeNetworks } from './node-networks.js';
import { NODES_PROJECTION, toResource } from './node-resource.js';
import * as schema from './nodes.schema.js';

@Controller()
export class NodesController {
  constructor(
    private readonly commands: Commands,
    private readonly readModels: ReadModels,
    private readonly credentials: NodeCredentials,
    private readonly networks: NodeNetworks,
  ) {}

  @Operation('POST', '/v1/nodes', {
    summary: 'Enrol a node',
    description:
      'The same key of the same operator is the same node: repeating changes its offer or nothing.',
    callers: ['operator'],
    body: schema.enrolment,
    answers: { 201: { description: 'Enrolled', schema: schema.enrolled } },
    problems: ['node_exists', 'node_revoked', 'command_refused'],
  })
  async enrol(
    @Body() { publicKey, offer }: schema.Enrolment,
    @FromCaller() operator: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<z.infer<typeof schema.enrolled>> {
    assertPublicKey(publicKey);
    const { attestationClaimed, contentUrl, validates, encryptionRecipient, ...priced } = offer;
    const { interruptiblePricePerSecondAtto, pricePerGibTransferredAtto, ...rest } = priced;
    // A node that has changed its key since is the same node.
    const known = await this.readModels.query(em => findNodeByKey(em, operator.id, publicKey));
    const nodeId = known?.nodeId ?? derivedId('node', operator.id, publicKey);
    const command: Directed<NodeCommand> = {
      to: { type: 'registry.node', id: nodeId },
      type: 'EnrolNode',
      data: {
        offer: {
          ...rest,
          ...(attestationClaimed && { attestationClaimed }),
          ...(contentUrl !== undefined && { contentUrl }),
          ...(validates && { validates }),
          ...(encryptionRecipient !== undefined && { encryptionRecipient }),
          nodeId,
          operatorId: operator.id,
          pricePerSecondAtto: BigInt(offer.pricePerSecondAtto),
          ...(interruptiblePricePerSecondAtto !== undefined && {
            interruptiblePricePerSecondAtto: BigInt(interruptiblePricePerSecondAtto),
          }),
          ...(pricePerGibTransferredAtto !== undefined && {
            pricePerGibTransferredAtto: BigInt(pricePerGibTransferredAtto),
          }),
          maintenance: offer.maintenance.map(({ from, until }) => ({
            from: new Date(from),
            until: new Date(until),
          })),
        },
        publicKey,
      },
    };
    const outcome = await this.commands.request(command, request);
    // Credentials of a node that may not be enrolled are of no use; repeating is harmless.
    if (!outcome) throw new Problem('commands_unavailable', { headers: { 'retry-after': '2' } });
    assertAccepted(outcome);
    // So that the node's own token is known by the time it comes back for new credentials.
    await this.readModels.includes(NODES_PROJECTION, outcome.position);
    await this.networks.note(operator.id, request);
    reply.status(201).header('location', '/v1/nodes');
    return { nodeId, credentials: this.credentials.issue(nodeId, publicKey, new Date()) };
  }

  @HttpCode(200)
  @Operation('POST', '/v1/nodes/:id/credentials', {
    summary: 'Renew the credentials of a node',
    description: 'With a token that the node signs itself.',
    callers: ['node'],
    pathParameters: schema.nodePath,
    body: nothing,
    answers: { 200: { description: 'New credentials', schema: schema.credentials } },
    problems: ['node_not_found', 'node_revoked'],
  })
  async renew(
    @Param('id') nodeId: string,
    @FromCaller() caller: Caller,
    @Body() _body: unknown,
    @Req() request: FastifyRequest,
  ): Promise<z.infer<typeof schema.credentials>> {
    const node = caller.id === nodeId ? await this.readModels.query(em => findNode(em, nodeId)) : undefined;
    if (!node) throw new Problem('node_not_found');
    if (node.revokedAt) throw new Problem('node_revoked');
    await this.networks.note(node.operatorId, request);
    return this.credentials.issue(nodeId, node.publicKey, new Date());
  }

  @Operation('GET', '/v1/nodes', {
    summary: 'List the nodes on the market',
    callers: ['tenant', 'operator', 'node'],
    query: schema.nodesQuery,
    answers: { 200: { description: 'A page', schema: schema.nodePage } },
    problems: ['cursor_invalid'],
  })
  async list(
    @Query() { limit, cursor, status }: z.output<typeof schema.nodesQuery>,
    @FromCaller() caller: Caller,
  ): Promise<z.infer<typeof schema.nodePage>> {
    const scope = `nodes ${status ?? ''}`;
    const query = { limit, status, cursor: decodeCursor(scope, cursor) };
    const page = await this.readModels.query(em => pageOfNodes(em, query));
    return toPage(page, scope, node => toResource(node, caller));
  }
}

/** The pattern cannot tell whether the key's own checksum is right. */
function assertPublicKey(publicKey: string): void {
  try {
    rawPublicKey(publicKey);
  } catch {
    throw invalidField('publicKey', 'must be a NATS user key: its checksum is wrong');
  }
}
