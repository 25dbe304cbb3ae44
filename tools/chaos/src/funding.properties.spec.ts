import { equal, ok } from 'node:assert/strict';
import { expect, test } from '@jest/globals';
import type { Message } from '@astro/event-sourcing/decider';
import { firstReservationAtto, maxCostAtto, taskCostAtto } from '@astro/matching/cost';
import { postingsIn } from '@astro/messages/ledger-accounts';
import type { Funding, Grant, JobSpec } from '@astro/messages/scheduling';
import {
  plainDevice,
  plainInventory,
  plainJob,
  plainOffer,
  plainRequirements,
} from '@astro/messages/unconstrained';
import fc from 'fast-check';
import { FundedMarket, poolId, tenantId } from './funded-market.fixture.js';

const RUNS = 300;
const cid = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';
const TASKS = 5;
const NOTICE_MS = 20_000;
const specOf = (
  jobId: string,
  funding: Pick<Funding, 'mode' | 'onShortage'>,
  maxParallel: number,
): JobSpec => ({
  name: jobId,
  program: { cid, timeLimitMs: 10_000, memoryLimitMib: 1, outputLimitBytes: 1 },
  requirements: {
    ...plainRequirements,
    deviceKind: 'cpu',
    cpuMillis: 500,
    memoryMib: 1,
    maxPricePerSecondAtto: 10n,
  },
  tasks: Array.from({ length: TASKS }, (_, index) => ({ taskId: `${jobId}_${index}`, inputs: [], args: [] })),
  quorum: 1,
  ...plainJob,
  maxParallel,
  funding: { ...funding, noticeMs: NOTICE_MS },
});
const mostOfTask = taskCostAtto(specOf('job_1', { mode: 'stepwise', onShortage: 'pause' }, 0));
const jobIds = ['job_1', 'job_2', 'job_3'] as const;

type Step = (market: FundedMarket) => void;

const anyJob = fc
  .tuple(
    fc.constantFrom(...jobIds),
    fc.constantFrom<Pick<Funding, 'mode' | 'onShortage'>>(
      { mode: 'stepwise', onShortage: 'notice_then_stop' },
      { mode: 'stepwise', onShortage: 'pause' },
      { mode: 'whole', onShortage: 'notice_then_stop' },
    ),
    fc.constantFrom(0, 1, 3),
    fc.bigInt(0n, 3n * mostOfTask),
  )
  .map(([jobId, funding, maxParallel, expectedAtto]): Step => {
    const spec = specOf(jobId, funding, maxParallel);
    const first = firstReservationAtto(spec, expectedAtto);
    const firstReservation = funding.mode === 'stepwise' ? { firstReservationAtto: first } : {};
    const data = { jobId, tenantId, poolId, spec, maxCostAtto: maxCostAtto(spec), ...firstReservation };
    return market => void market.tell({ to: { type: 'scheduling.job', id: jobId }, type: 'SubmitJob', data });
  });
const toPool = { type: 'scheduling.pool', id: poolId } as const;
const admit = (nodeId: string): Step => {
  const device = { kind: 'cpu', vendor: 'amd', model: 'epyc', memoryMib: 64, ...plainDevice } as const;
  const system = { operatingSystem: 'linux', architecture: 'x64', runtimes: ['wasm'], ...plainInventory };
  const inventory = { devices: [device], cpuMillis: 2_000, memoryMib: 64, diskMib: 1, ...system };
  const offer = {
    nodeId,
    operatorId: nodeId,
    region: 'de-fra',
    inventory,
    pricePerSecondAtto: 4n,
    ...plainOffer,
  };
  return market => void market.tell({ to: toPool, type: 'AdmitNode', data: { poolId, offer } });
};
const tick: Step = market => {
  const data = { poolId, now: new Date(market.nowMs), patienceMs: 15_000 };
  market.tell({ to: toPool, type: 'PlaceTasks', data });
};
type Report = 'StartLease' | 'CompleteLease' | 'FailLease';

function tellOf(market: FundedMarket, type: Report, { leaseId, nodeId, fencingToken }: Told): void {
  const at = new Date(market.nowMs);
  const result = { fault: 'none', digest: 'd'.repeat(64), outputs: [], reason: 'no disk' } as const;
  market.tell({ to: toPool, type, data: { poolId, leaseId, nodeId, fencingToken, at, ...result } });
}
type Told = Pick<Grant, 'leaseId' | 'nodeId' | 'fencingToken'>;

/** The lease is one of the last, which most often lives. */
const report = (type: Report, choice: number): Step => {
  return market => {
    const grant = market.grants.at(-1 - (choice % Math.max(1, Math.min(6, market.grants.length))));
    if (grant) tellOf(market, type, grant);
  };
};
let credits = 0;
const credit =
  (amountAtto: bigint): Step =>
  market => {
    credits += 1;
    const data = { tenantId, creditId: `credit_${credits}`, amountAtto };
    market.tell({ to: { type: 'billing.account', id: tenantId }, type: 'CreditAccount', data });
  };
const cancel =
  (jobId: string): Step =>
  market =>
    void market.tell({
      to: { type: 'scheduling.job', id: jobId },
      type: 'CancelJob',
      data: { jobId, tenantId },
    });
const pass =
  (ms: number): Step =>
  market => {
    market.nowMs += ms;
  };

const choices = fc.nat(1_000);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: anyJob },
  { weight: 8, arbitrary: fc.constant(tick) },
  {
    weight: 14,
    arbitrary: choices.map(
      (choice): Step =>
        market =>
          market.deliver(choice),
    ),
  },
  {
    weight: 3,
    arbitrary: choices.map(
      (choice): Step =>
        market =>
          market.deliverAgain(choice),
    ),
  },
  { weight: 5, arbitrary: choices.map(choice => report('StartLease', choice)) },
  { weight: 5, arbitrary: choices.map(choice => report('CompleteLease', choice)) },
  { weight: 1, arbitrary: choices.map(choice => report('FailLease', choice)) },
  { weight: 1, arbitrary: fc.bigInt(1n, 2n * mostOfTask).map(credit) },
  { weight: 1, arbitrary: fc.constantFrom(...jobIds).map(cancel) },
  { weight: 5, arbitrary: fc.constantFrom(1, 500, 3_000, 15_000).map(pass) },
);
const anySteps = fc
  .tuple(
    fc.bigInt(0n, 3n * mostOfTask),
    anyJob,
    fc.array(anyStep, { minLength: 20, maxLength: 120, size: 'max' }),
  )
  .map(([first, submit, steps]): readonly Step[] => {
    return [admit('node_a'), admit('node_b'), credit(first + 1n), submit, ...steps];
  });

function run(steps: readonly Step[], see: (market: FundedMarket) => void = () => undefined): FundedMarket {
  const market = new FundedMarket();
  for (const step of steps) {
    step(market);
    see(market);
  }
  return market;
}

/** Everything arrives, everything that runs completes, and all notices end. */
function settle(market: FundedMarket): void {
  for (let round = 0; round < 60; round += 1) {
    while (market.pending > 0) market.deliver(0);
    tick(market);
    for (const type of ['StartLease', 'CompleteLease'] as const) {
      for (const lease of [...market.pool.leases.values()]) tellOf(market, type, lease);
      pass(100)(market);
    }
    pass(round % 10 === 9 ? 45_000 : 100)(market);
  }
}
const holds = (check: (steps: readonly Step[]) => void) =>
  fc.assert(fc.property(anySteps, check), { numRuns: RUNS });

test('what is reserved for a job is never less than what runs of it, and was verified, can cost at most', () =>
  holds(
    steps =>
      void run(steps, market => {
        for (const jobId of jobIds) {
          if (market.job(jobId).status !== 'queued') continue;
          const reserved = market.account.open.get(jobId)?.leftAtto ?? 0n;
          const most = market.mostOfRunning(jobId, mostOfTask);
          ok(reserved >= most, `${jobId}: ${reserved} are reserved, ${most} can be needed`);
        }
      }),
  ));

test('the postings of every event sum to zero, and no job is given more than it can cost', () =>
  holds(steps => {
    const { events } = run(steps);
    for (const event of events)
      equal(
        postingsIn(event).reduce((sum, { amountAtto }) => sum + amountAtto, 0n),
        0n,
      );
    const reserved = new Map<string, bigint>();
    for (const event of events) {
      if (event.type !== 'FundsReserved' && event.type !== 'ReservationExtended') continue;
      const { jobId } = event.data as { jobId: string };
      const amount = postingsIn(event).find(({ amountAtto }) => amountAtto > 0n)?.amountAtto ?? 0n;
      reserved.set(jobId, (reserved.get(jobId) ?? 0n) + amount);
    }
    for (const amount of reserved.values()) ok(amount <= BigInt(TASKS) * mostOfTask);
  }));

test('of each job one extension is on its way at a time, and none is made twice', () =>
  holds(steps => {
    const { events } = run(steps);
    const made = events.filter(({ type }) => type === 'ReservationExtended').map(keyOf);
    equal(new Set(made).size, made.length);
    for (const jobId of jobIds) {
      let isAsked = false;
      for (const { type, data } of events) {
        if ((data as { jobId?: string }).jobId !== jobId) continue;
        if (type === 'FundsRequested') {
          ok(!isAsked, `${jobId} asks again`);
          isAsked = true;
        }
        if (type === 'FundsAdded') isAsked = false;
      }
    }
  }));
const keyOf = ({ data }: Message) => {
  const { jobId, number } = data as { jobId: string; number: number };
  return `${jobId} ${number}`;
};

test('in the end every job has ended but those that pause, and nothing is reserved once these are cancelled', () =>
  holds(steps => {
    const market = run(steps);
    settle(market);
    for (const jobId of jobIds) {
      const job = market.job(jobId);
      const isOpen = job.status === 'submitted' || job.status === 'queued';
      if (isOpen) equal(job.submitted.spec.funding?.onShortage, 'pause', `${jobId} is ${job.status}`);
      if (isOpen) cancel(jobId)(market);
    }
    settle(market);
    const { availableAtto, reservedAtto, open, waiting } = market.account;
    equal(reservedAtto, 0n);
    equal(open.size + waiting.size + market.pool.stepwise.size, 0);
    const charged = market.events
      .filter(({ type }) => type === 'TaskCharged')
      .flatMap(postingsIn)
      .reduce((sum, { amountAtto }) => (amountAtto < 0n ? sum - amountAtto : sum), 0n);
    const credited = market.events
      .filter(({ type }) => type === 'AccountCredited')
      .flatMap(postingsIn)
      .reduce((sum, { amountAtto }) => (amountAtto > 0n ? sum + amountAtto : sum), 0n);
    equal(availableAtto + charged, credited);
  }));

test('a client is told last what holds: short as long as its job is, and no longer', () =>
  holds(steps => {
    const market = run(steps);
    while (market.pending > 0) market.deliver(0);
    for (const jobId of jobIds) {
      const job = market.job(jobId);
      if (job.status !== 'queued') continue;
      const isShort = market.pool.jobs.get(jobId)?.funding?.lastRequest === 'declined';
      const isTold = job.shortage !== undefined && !job.shortage.isOver;
      equal(isTold, isShort, `${jobId}: ${JSON.stringify(job.shortage)}`);
    }
  }));

test('the runs are worth their name: everything happens in them', () => {
  const types = fc
    .sample(anySteps, { numRuns: RUNS, seed: 5 })
    .flatMap(steps => run(steps).events.map(({ type }) => type));
  const count = (type: string) => types.filter(other => other === type).length;
  const kinds = [
    'ReservationExtended',
    'ExtensionDeclined',
    'JobShortOfFunds',
    'JobFundedAgain',
    'TaskCharged',
  ];
  for (const type of kinds) expect([type, count(type) > 10]).toEqual([type, true]);
});
