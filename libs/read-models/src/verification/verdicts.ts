import type { Projection } from '@astro/event-sourcing/projection';
import type { Fault, Result } from '@astro/messages/scheduling';
import type { TaskEvent } from '@astro/messages/verification';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';

/** How each task was judged: which nodes agreed, and which were found wrong. */
export const Verdict = defineEntity({
  name: 'Verdict',
  schema: 'verification',
  tableName: 'verdicts',
  properties: p => ({
    taskId: p.text().primary(),
    jobId: p.text().index(),
    /** `undecided`: the limit of replicas was reached without agreement. */
    outcome: p.text().$type<'agreed' | 'undecided'>(),
    /** Policy and version, for example `quorum/1`. */
    policy: p.text(),
    digest: p.text().nullable(),
    fault: p.text().$type<Fault>().nullable(),
    /** Ids of nodes. */
    agreed: p.json<readonly string[]>(),
    /** Ids of nodes. Nobody is refuted where nobody agreed. */
    refuted: p.json<readonly string[]>(),
    verifiedAt: p.datetime(),
  }),
});
export type Verdict = InferEntity<typeof Verdict>;

export const verdicts: Projection<TaskEvent, EntityManager> = {
  name: 'verification.verdicts',
  version: 1,
  tables: ['verdicts'],
  reads: ['verification.task'],
  async apply(em, { event: { type, data }, recordedAt: verifiedAt }) {
    switch (type) {
      case 'ResultVerified': {
        const { taskId, jobId, policy, digest, fault } = data;
        const judged = { agreed: nodesOf(data.agreed), refuted: nodesOf(data.refuted) };
        return em.upsert(Verdict, {
          taskId,
          jobId,
          outcome: 'agreed',
          policy,
          digest,
          fault,
          ...judged,
          verifiedAt,
        });
      }
      case 'VerificationFailed': {
        const { taskId, jobId, policy } = data;
        const judged = { agreed: [], refuted: [], digest: null, fault: null };
        return em.upsert(Verdict, { taskId, jobId, outcome: 'undecided', policy, ...judged, verifiedAt });
      }
    }
  },
};

const nodesOf = (results: readonly Result[]): string[] => results.map(({ nodeId }) => nodeId);

export const findVerdict = (em: EntityManager, taskId: string) => em.findOne(Verdict, { taskId });

/** Verdicts on the tasks of one job. */
export const verdictsOf = (em: EntityManager, jobId: string) =>
  em.find(Verdict, { jobId }, { orderBy: { taskId: 'asc' } });
