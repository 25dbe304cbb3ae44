import { findJob } from '@astro/read-models/scheduling/jobs';
import { findAudit, type Audit } from '@astro/read-models/verification/audits';
import { findValidator, pageOfValidators, type Validator } from '@astro/read-models/verification/validators';
import { Controller, Param, Query } from '@nestjs/common';
import type { z } from 'zod';
import { FromCaller, type Caller } from '../http/caller.js';
import { decodeCursor } from '../http/cursor.js';
import { toPage } from '../http/page.js';
import { Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import * as schema from './validators.schema.js';

const scope = 'validators';

@Controller()
export class ValidatorsController {
  constructor(private readonly readModels: ReadModels) {}

  @Operation('GET', '/v1/validators', {
    summary: 'List the nodes that validate, with their stakes and what became of their audits',
    callers: ['tenant', 'operator'],
    query: schema.validatorsQuery,
    answers: { 200: { description: 'A page', schema: schema.validatorPage } },
    problems: ['cursor_invalid'],
  })
  async list(
    @Query() { limit, cursor }: z.output<typeof schema.validatorsQuery>,
  ): Promise<z.infer<typeof schema.validatorPage>> {
    const query = { limit, cursor: decodeCursor(scope, cursor) };
    return toPage(await this.readModels.query(em => pageOfValidators(em, query)), scope, toResource);
  }

  @Operation('GET', '/v1/validators/:id', {
    summary: 'Read one validator',
    callers: ['tenant', 'operator'],
    pathParameters: schema.validatorPath,
    answers: { 200: { description: 'The validator', schema: schema.validator } },
    problems: ['validator_not_found'],
  })
  async read(@Param('id') id: string): Promise<z.infer<typeof schema.validator>> {
    const validator = await this.readModels.query(em => findValidator(em, id));
    if (!validator) throw new Problem('validator_not_found');
    return toResource(validator);
  }

  @Operation('GET', '/v1/tasks/:id/audit', {
    summary: 'Read what validators found of the accepted result of a task',
    description: 'With all that is needed to draw the validators again.',
    callers: ['tenant'],
    pathParameters: schema.taskPath,
    answers: { 200: { description: 'The last audit of the task', schema: schema.audit } },
    problems: ['audit_not_found'],
  })
  async audit(
    @Param('id') taskId: string,
    @FromCaller() { id: tenantId }: Caller,
  ): Promise<z.infer<typeof schema.audit>> {
    const { audit, job } = await this.readModels.query(async em => {
      const audit = await findAudit(em, taskId);
      return { audit, job: audit && (await findJob(em, tenantId, audit.jobId)) };
    });
    // A tenant must not learn which tasks of others exist, and a planted task tries validators, not its result.
    const resource = audit && job && toAudit(audit);
    if (!resource) throw new Problem('audit_not_found');
    return resource;
  }
}

const toResource = (row: Validator): z.infer<typeof schema.validator> => ({
  id: row.nodeId,
  operatorId: row.operatorId,
  subject: row.subject,
  stakeAtto: row.stakeAtto.toString(),
  minimumAtto: row.minimumAtto.toString(),
  status: row.isActive ? 'active' : 'inactive',
  runtimes: [...row.runtimes],
  audits: {
    ...{ correct: row.correct, wrong: row.wrong, missed: row.missed },
    ...{ plantedAwake: row.plantedAwake, plantedAsleep: row.plantedAsleep },
  },
  enrolledAt: row.enrolledAt.toISOString(),
  ...(row.lastAuditAt && { lastAuditAt: row.lastAuditAt.toISOString() }),
});

/** Undefined of what a tenant is not told of. */
function toAudit(row: Audit): z.infer<typeof schema.audit> | undefined {
  const { reason, status, outcome, blockNumber, drawFromBlock, closedAt } = row;
  if (reason === 'planted' || reason === 'unspecified' || status === 'requested') return undefined;
  const draw = { blockHash: row.blockHash, secret: row.secret, seed: row.seed };
  return {
    ...{ taskId: row.taskId, jobId: row.jobId, reason, status },
    ...{ claimedDigest: row.claimedDigest, secretHash: row.secretHash },
    ...(typeof drawFromBlock === 'number' && { drawFromBlock }),
    ...(typeof blockNumber === 'number' && { draw: { blockNumber, ...draw } }),
    validators: [...row.drawn],
    ...(outcome && outcome !== 'unspecified' && { verdict: { outcome, ...verdictOf(row) } }),
    requestedAt: row.requestedAt.toISOString(),
    ...(closedAt && { closedAt: closedAt.toISOString() }),
  };
}

const verdictOf = ({ digest, correct, wrong, missing, policy, flaw }: Audit) => ({
  ...{ digest, correct: [...correct], wrong: [...wrong], missing: [...missing], policy },
  ...(flaw && { flaw }),
});
