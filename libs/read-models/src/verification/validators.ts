import type { Candidate } from '@astro/messages/verification';
import type { EntityManager } from '@mikro-orm/postgresql';
import { keyIn, pageOf, rowsFor, type Page, type PageQuery } from '../page.js';
import { ValidatorNode } from './validator-nodes.js';
import { ValidatorRecord } from './validator-records.js';
import { chainProgress, stakesOn } from './validator-stakes.js';

/** A node that validates, with its stake by final blocks and what became of its audits. */
export type Validator = Pick<
  ValidatorNode,
  'nodeId' | 'operatorId' | 'subject' | 'runtimes' | 'isOnline' | 'isRevoked' | 'enrolledAt'
> &
  Pick<ValidatorRecord, 'correct' | 'wrong' | 'missed' | 'plantedAwake' | 'plantedAsleep'> & {
    readonly stakeAtto: bigint;
    readonly minimumAtto: bigint;
    /** It may be drawn: it is there, and has as much at stake as it must. */
    readonly isActive: boolean;
    readonly lastAuditAt: Date | undefined;
  };

/** In the order of their ids, which is that of enrolment. @throws InvalidCursor */
export async function pageOfValidators(
  em: EntityManager,
  { cursor, limit }: PageQuery,
): Promise<Page<Validator>> {
  const after = cursor === undefined ? {} : { nodeId: { $gt: keyIn(cursor, 1)[0]! } };
  const options = { orderBy: { nodeId: 'asc' }, limit: rowsFor(limit) } as const;
  const page = pageOf(await em.find(ValidatorNode, { validates: true, ...after }, options), limit, row => [
    row.nodeId,
  ]);
  return { ...page, items: await withStakes(em, page.items) };
}

export async function findValidator(em: EntityManager, nodeId: string): Promise<Validator | undefined> {
  const node = await em.findOne(ValidatorNode, { nodeId, validates: true });
  return node ? (await withStakes(em, [node]))[0] : undefined;
}

/** Those who may be drawn to run this again, the highest stakes first. */
export async function candidatesFor(
  em: EntityManager,
  runtime: string,
  limit: number,
): Promise<readonly Candidate[]> {
  const nodes = await em.find(ValidatorNode, { validates: true, isOnline: true, isRevoked: false });
  const validators = await withStakes(em, nodes);
  return validators
    .filter(({ isActive, runtimes }) => isActive && runtimes.includes(runtime))
    .sort((a, b) => Number(b.stakeAtto > a.stakeAtto) - Number(b.stakeAtto < a.stakeAtto))
    .slice(0, limit)
    .map(({ nodeId: validatorId, operatorId, stakeAtto }) => ({ validatorId, operatorId, stakeAtto }));
}

async function withStakes(em: EntityManager, nodes: readonly ValidatorNode[]): Promise<readonly Validator[]> {
  const stakes = await stakesOn(
    em,
    nodes.map(({ subject }) => subject),
  );
  const ids = nodes.map(({ nodeId }) => nodeId);
  const records = await em.find(ValidatorRecord, { validatorId: { $in: ids } });
  const recordOf = new Map(records.map(record => [record.validatorId, record]));
  const minimumAtto = (await chainProgress(em))?.minimumAtto ?? 0n;
  return nodes.map(node => {
    const stakeAtto = stakes.get(node.subject) ?? 0n;
    const { correct, wrong, missed, plantedAwake, plantedAsleep, lastAuditAt } = recordOf.get(
      node.nodeId,
    ) ?? {
      ...{ correct: 0, wrong: 0, missed: 0, plantedAwake: 0, plantedAsleep: 0, lastAuditAt: undefined },
    };
    const isActive = node.isOnline && !node.isRevoked && stakeAtto > 0n && stakeAtto >= minimumAtto;
    const record = { correct, wrong, missed, plantedAwake, plantedAsleep, lastAuditAt };
    return { ...node, ...record, stakeAtto, minimumAtto, isActive };
  });
}
