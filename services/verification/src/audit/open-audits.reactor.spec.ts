import { expect, test } from '@jest/globals';
import type { Result } from '@astro/messages/scheduling';
import type { TaskEvent } from '@astro/messages/verification';
import { openAudits } from './open-audits.reactor.js';

const results = ['a', 'b'].map((name): Result => ({
  ...{ leaseId: `lease_${name}`, nodeId: `node_${name}`, operatorId: `operator_${name}`, fault: 'none' },
  ...{ digest: 'd', outputs: [], meteredMs: 1, pricePerSecondAtto: 1n },
}));
const verified = (agreed = 2, fault: 'none' | 'program_trapped' = 'none'): TaskEvent => ({
  type: 'ResultVerified',
  data: {
    ...{ poolId: 'main', jobId: 'job_1', taskId: 'task_1', policy: 'quorum/1', digest: 'd', fault },
    ...{ outputs: [], agreed: results.slice(0, agreed), refuted: [] },
  },
});
const reasonsOf = (rates: { samplePpm?: number; plantedPpm?: number }, event = verified()) =>
  openAudits({ samplePpm: 0, plantedPpm: 0, ...rates }, id => `seed of ${id}`)
    .react({
      ...{ id: 'event_1', aggregate: { type: 'verification.task', id: 'task_1' }, event, position: 1 },
      ...{ recordedAt: new Date(0), metadata: { correlationId: 'c', causationId: 'c', actor: 'a' } },
    })
    .map(({ data }) => 'reason' in data && data.reason);

test('results are audited at their rate, or else planted at theirs', () => {
  const always = 1_000_000;
  expect(reasonsOf({})).toEqual([]);
  expect(reasonsOf({ samplePpm: always, plantedPpm: always })).toEqual(['sample']);
  expect(reasonsOf({ plantedPpm: always })).toEqual(['planted']);
});

test('nothing is planted by what one operator alone said, and no fault is run again', () => {
  expect(reasonsOf({ plantedPpm: 1_000_000 }, verified(1))).toEqual([]);
  expect(reasonsOf({ samplePpm: 1_000_000 }, verified(2, 'program_trapped'))).toEqual([]);
});
