import type { Directed } from '@astro/event-sourcing/reactor';
import type { NodeCommand } from '@astro/messages/registry';
import { findNode, type Node } from '@astro/read-models/registry/nodes';
import { liveLeasesOf, type Lease } from '@astro/read-models/scheduling/leases';
import { Body, Controller, HttpCode, Param, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { Commands } from '../commands.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { NODES_PROJECTION, toResource } from './node-resource.js';
import * as schema from './node-work.schema.js';
import { nodePath, nodeResource } from './nodes.schema.js';

type NodeResource = z.infer<typeof nodeResource>;

/** What is said of one node: how fast it is, what it works on, and whether it gets more work. */
@Controller()
export class NodeWorkController {
  constructor(
    private readonly commands: Commands,
    private readonly readModels: ReadModels,
  ) {}

  @Operation('GET', '/v1/nodes/:id', {
    summary: 'Read a node',
    callers: ['tenant', 'operator', 'node'],
    pathParameters: nodePath,
    answers: { 200: { description: 'The node', schema: nodeResource } },
    problems: ['node_not_found'],
  })
  async read(@Param('id') nodeId: string, @FromCaller() reader: Caller): Promise<NodeResource> {
    return toResource(await this.find(nodeId), reader);
  }

  @Operation('GET', '/v1/nodes/:id/leases', {
    summary: 'List what your node works on now',
    callers: ['operator', 'node'],
    pathParameters: nodePath,
    answers: { 200: { description: 'Its live leases, oldest first', schema: schema.nodeLeases } },
    problems: ['node_not_found'],
  })
  async leases(
    @Param('id') nodeId: string,
    @FromCaller() caller: Caller,
  ): Promise<z.infer<typeof schema.nodeLeases>> {
    await this.findOwn(nodeId, caller);
    const leases = await this.readModels.query(em => liveLeasesOf(em, nodeId));
    return { items: leases.map(toLease) };
  }

  @HttpCode(200)
  @Operation('POST', '/v1/nodes/:id/drain', {
    summary: 'Give your node no more work',
    description:
      'Until it is undrained, over restarts too. Repeating changes nothing, but for an earlier end of the notice. ' +
      'What is reserved on the node stays so.',
    callers: ['operator'],
    pathParameters: nodePath,
    body: schema.drainRequest,
    answers: { 200: { description: 'The node', schema: nodeResource } },
    problems: ['node_not_found', 'command_refused'],
  })
  async drain(
    @Param('id') nodeId: string,
    @Body() body: z.output<typeof schema.drainRequest>,
    @FromCaller() operator: Caller,
    @Req() request: FastifyRequest,
  ): Promise<NodeResource> {
    const from = new Date();
    const { noticeSeconds } = body ?? {};
    const noticeUntil = noticeSeconds === undefined ? undefined : after(from, noticeSeconds);
    const drain = { from, ...(noticeUntil && { noticeUntil }) };
    const data = { nodeId, operatorId: operator.id, drain };
    return this.tell(nodeId, operator, { type: 'DrainNode', data }, request);
  }

  @Operation('DELETE', '/v1/nodes/:id/drain', {
    summary: 'Put your node on the market again',
    callers: ['operator'],
    pathParameters: nodePath,
    answers: { 200: { description: 'The node', schema: nodeResource } },
    problems: ['node_not_found', 'command_refused'],
  })
  async undrain(
    @Param('id') nodeId: string,
    @FromCaller() operator: Caller,
    @Req() request: FastifyRequest,
  ): Promise<NodeResource> {
    const data = { nodeId, operatorId: operator.id };
    return this.tell(nodeId, operator, { type: 'UndrainNode', data }, request);
  }

  @HttpCode(200)
  @Operation('POST', '/v1/nodes/:id/measurements', {
    summary: 'Report what the node measured of itself',
    description: 'With a token that the node signs itself. What no such machine can do is refused.',
    callers: ['node'],
    pathParameters: nodePath,
    body: schema.measurement,
    answers: { 200: { description: 'The node', schema: nodeResource } },
    problems: ['node_not_found', 'command_refused'],
  })
  async measured(
    @Param('id') nodeId: string,
    @Body() figures: schema.Measurement,
    @FromCaller() caller: Caller,
    @Req() request: FastifyRequest,
  ): Promise<NodeResource> {
    const data = { nodeId, measurement: { ...figures, measuredAt: new Date() } };
    return this.tell(nodeId, caller, { type: 'MeasureNode', data }, request);
  }

  /** The node as it is after the command. */
  private async tell(
    nodeId: string,
    caller: Caller,
    command: NodeCommand,
    request: FastifyRequest,
  ): Promise<NodeResource> {
    await this.findOwn(nodeId, caller);
    const directed: Directed<NodeCommand> = { to: { type: 'registry.node', id: nodeId }, ...command };
    const position = await this.commands.execute(directed, request);
    await this.readModels.includes(NODES_PROJECTION, position);
    return toResource(await this.find(nodeId), caller);
  }

  private async find(nodeId: string): Promise<Node> {
    const node = await this.readModels.query(em => findNode(em, nodeId));
    if (!node) throw new Problem('node_not_found');
    return node;
  }

  /** Another operator's node is there for everybody to see, and nobody else's to touch. */
  private async findOwn(nodeId: string, caller: Caller): Promise<void> {
    const node = await this.find(nodeId);
    const isOwn = caller.kind === 'node' ? caller.id === nodeId : caller.id === node.operatorId;
    if (!isOwn) throw new Problem('node_not_found');
  }
}

const after = (from: Date, seconds: number): Date => new Date(from.getTime() + seconds * 1_000);

const toLease = (lease: Lease): z.infer<typeof schema.nodeLease> => ({
  id: lease.leaseId,
  status: lease.status === 'started' ? 'started' : 'granted',
  pricePerSecondAtto: lease.pricePerSecondAtto.toString(),
  grantedAt: lease.grantedAt.toISOString(),
  ...(lease.startedAt && { startedAt: lease.startedAt.toISOString() }),
  deadline: lease.deadline.toISOString(),
});
