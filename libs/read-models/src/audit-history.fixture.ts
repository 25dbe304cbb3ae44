import type { NodeEvent, Offer } from '@astro/messages/registry';
import type { AuditClosed, AuditEvent, AuditOpened, AuditReason } from '@astro/messages/verification';
import { offer } from './registry-history.fixture.js';

const drawn = ['node_7', 'node_8', 'node_9'];
const program = { cid: 'program', timeLimitMs: 1, memoryLimitMib: 1, outputLimitBytes: 1 };
const claimant = { nodeId: 'node_1', operatorId: 'operator_1', leaseId: 'lease_1' };
const at = (ms: number) => new Date(ms);

const opened = (taskId: string, round: number, reason: AuditReason): AuditOpened => ({
  ...{ taskId, round, jobId: 'job_1', reason, claimedDigest: 'lie', claimants: [claimant] },
  ...{ work: { program, inputs: [], args: [] }, secretHash: 'h', drawFromBlock: 7, drawUntil: at(9) },
});
const begun = (taskId: string, round: number, reason: AuditReason): readonly AuditEvent[] => {
  const ids = { taskId, round };
  const candidates = drawn.map(validatorId => ({ validatorId, operatorId: validatorId, stakeAtto: 5n }));
  const block = { blockNumber: 8, blockHash: '0x8', secret: 's', seed: 'seed', candidates, drawn };
  return [
    { type: 'AuditRequested', data: { ...ids, reason } },
    { type: 'AuditOpened', data: opened(taskId, round, reason) },
    { type: 'ValidatorsDrawn', data: { ...ids, ...block, commitUntil: at(100), revealUntil: at(200) } },
    { type: 'CommitReceived', data: { ...ids, validatorId: 'node_8', commitment: 'c', at: at(10) } },
    {
      type: 'InputRefused',
      data: {
        ...{ ...ids, validatorId: 'node_9', input: 'reveal', reason: 'NothingIsCommitted', at: at(11) },
      },
    },
    { type: 'RevealReceived', data: { ...ids, validatorId: 'node_8', digest: 'd', salt: 's', at: at(120) } },
  ];
};
const closed = (taskId: string, round: number, change: Partial<AuditClosed>): AuditEvent => ({
  type: 'AuditClosed',
  data: {
    ...{
      taskId,
      round,
      jobId: 'job_1',
      ...claimant,
      coClaimants: [],
      reason: 'sample',
      claimedDigest: 'lie',
    },
    ...{ outcome: 'inconclusive', digest: '', correct: [], wrong: [], missing: [], seed: 'seed' },
    ...{ policy: 'audit/1', thresholds: [], ...change },
  },
});

/** Audits of four tasks: overturned, planted, begun a second time after it had said nothing, and under way. */
export const auditHistory: readonly AuditEvent[] = [
  ...begun('task_1', 1, 'sample'),
  closed('task_1', 1, {
    ...{ outcome: 'overturned', digest: 'd', correct: ['node_7', 'node_8'], missing: ['node_9'] },
  }),
  ...begun('task_2', 1, 'planted'),
  closed('task_2', 1, {
    ...{
      outcome: 'overturned',
      reason: 'planted',
      digest: 'd',
      correct: ['node_7', 'node_8'],
      wrong: ['node_9'],
    },
  }),
  ...begun('task_3', 1, 'sample'),
  closed('task_3', 1, { flaw: 'no_majority', missing: ['node_9'] }),
  { type: 'AuditRequested', data: { taskId: 'task_3', round: 2, reason: 'dispute' } },
  ...begun('task_4', 1, 'sample'),
];

const validating = (nodeId: string, change: Partial<Offer> = {}): Offer => ({
  ...{ ...offer(nodeId), validates: true, ...change },
});
const enrolled = (of: Offer): NodeEvent => ({
  type: 'NodeEnrolled',
  data: { offer: of, publicKey: `U${of.nodeId}` },
});
/** One validator that is there, one that was revoked, one that offers its hardware now, and a node that never did. */
export const validatorHistory: readonly NodeEvent[] = [
  enrolled(validating('node_7')),
  { type: 'NodeCameOnline', data: { offer: validating('node_7') } },
  enrolled(validating('node_8')),
  { type: 'NodeRevoked', data: { nodeId: 'node_8', publicKey: 'Unode_8', reason: 'lost' } },
  { type: 'NodeWentOffline', data: { nodeId: 'node_8', lastSeenAt: at(5) } },
  enrolled(validating('node_9')),
  { type: 'NodeCameOnline', data: { offer: offer('node_9') } },
  enrolled(offer('node_1')),
];
