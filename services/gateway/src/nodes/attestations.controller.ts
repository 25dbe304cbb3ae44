import { randomBytes } from 'node:crypto';
import type { Directed } from '@astro/event-sourcing/reactor';
import type { Outcome } from '@astro/jetstream/command-bus';
import type { EvidenceCommand, NodeCommand } from '@astro/messages/registry';
import { Body, Controller, HttpCode, Param, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { Commands, type Asking } from '../commands.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { Problem } from '../http/problem.js';
import { nothing } from '../jobs/jobs.schema.js';
import { Operation } from '../openapi/operation.js';
import { assertAccepted } from '../rejections.js';
import * as schema from './attestations.schema.js';
import { attestation, nodePath } from './nodes.schema.js';

const NONCE_BYTES = 32;
const CHALLENGE_LIFE_MS = 5 * 60_000;
/** Evidence is verified one after the other; the registry gives up somewhat later. */
const VERIFIED_TIMEOUT_MS = 15_000;

/** How a node proves what it runs: it asks for a nonce, has its machine sign it, and sends what was signed. */
@Controller()
export class AttestationsController {
  constructor(private readonly commands: Commands) {}

  @Operation('POST', '/v1/nodes/:id/attestation-challenges', {
    summary: 'Ask for a challenge',
    description: 'The same one again, while half of its time is left.',
    callers: ['node'],
    pathParameters: nodePath,
    body: nothing,
    answers: { 201: { description: 'What the evidence must hold', schema: schema.challenge } },
    problems: ['node_not_found', 'command_refused'],
  })
  async challenge(
    @Param('id') nodeId: string,
    @FromCaller() caller: Caller,
    @Body() _body: unknown,
    @Req() request: FastifyRequest,
  ): Promise<z.infer<typeof schema.challenge>> {
    assertOwn(nodeId, caller);
    const [issuedAt, nonce] = [new Date(), randomBytes(NONCE_BYTES).toString('hex')];
    const expiresAt = new Date(issuedAt.getTime() + CHALLENGE_LIFE_MS);
    const command: Directed<NodeCommand> = {
      to: { type: 'registry.node', id: nodeId },
      type: 'ChallengeNode',
      data: { nodeId, nonce, issuedAt, expiresAt },
    };
    const { answer } = await this.#decided(command, request);
    return schema.challenge.parse(
      answer ? JSON.parse(answer) : { nonce, expiresAt: expiresAt.toISOString() },
    );
  }

  @HttpCode(201)
  @Operation('POST', '/v1/nodes/:id/attestations', {
    summary: 'Prove what the node runs',
    description:
      'Evidence that answers the open challenge. It counts until expiresAt, and is to be renewed before.',
    callers: ['node'],
    pathParameters: nodePath,
    body: schema.presented,
    answers: { 201: { description: 'Accepted', schema: attestation } },
    problems: [
      'node_not_found',
      'challenge_unknown',
      'evidence_refused',
      'attestation_unavailable',
      'command_refused',
    ],
  })
  async attest(
    @Param('id') nodeId: string,
    @FromCaller() caller: Caller,
    @Body() { nonce, evidence }: schema.Presented,
    @Req() request: FastifyRequest,
  ): Promise<z.infer<typeof attestation>> {
    assertOwn(nodeId, caller);
    const command: Directed<EvidenceCommand> = {
      to: { type: 'registry.evidence', id: nodeId },
      type: 'PresentEvidence',
      data: { nodeId, nonce, evidence: new Uint8Array(Buffer.from(JSON.stringify(evidence))) },
    };
    const outcome = await this.#decided(command, request, { timeoutMs: VERIFIED_TIMEOUT_MS });
    return attestation.parse(JSON.parse(outcome.answer ?? 'null'));
  }

  async #decided(command: Directed, request: FastifyRequest, asking: Asking = {}): Promise<Outcome> {
    const outcome = await this.commands.request(command, request, asking);
    if (!outcome) throw new Problem('commands_unavailable', { headers: { 'retry-after': '2' } });
    // Why it cannot be verified is for the platform's operator to read in the log.
    if (outcome.rejection === 'EvidenceIsUndecided')
      throw new Problem('attestation_unavailable', { headers: { 'retry-after': '30' } });
    assertAccepted(outcome);
    return outcome;
  }
}

/** A node speaks for itself alone. */
function assertOwn(nodeId: string, caller: Caller): void {
  if (caller.id !== nodeId) throw new Problem('node_not_found');
}
