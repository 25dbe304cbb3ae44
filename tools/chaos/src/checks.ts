import { setTimeout as sleep } from 'node:timers/promises';
import { heldByEscrow } from '@astro/demo/on-chain';
import type { Platform } from '@astro/devstack/platform';
import { Archive } from '@astro/archive/archive';
import { verify } from '@astro/archive/verify';
import type { Bus } from '@astro/jetstream/bus';
import { commandStreamOf, contexts, eventStreamOf } from '@astro/jetstream/subjects';
import type { History } from './history.js';
import {
  lostWrites,
  notEndedOnce,
  notOnChain,
  recordedTwice,
  settledTwice,
  stillReserved,
  unbalanced,
  wrongDeadLetters,
  type Breach,
} from './invariants.js';
import type { Acknowledged } from './load.js';
import { newestOf } from './message-tap.js';
import { patiently } from './patience.js';
import { allDeadLetters, type Dose } from './poison.js';
import { differences, Rebuild, snapshotOf } from './rebuild.js';
import { busyLanes, livenessLimitMs } from './settle.js';

/** A read model that is whole catches up with a quiet stream well within this time. */
const catchUpLimitMs = 30_000;
const pollMs = 250;
/** The stream has been quiet for longer by the time that this is asked. */
const archiveLagMs = 5_000;
/** Commands given once more at the end, of each context. */
const repeatedMax = 1_000;

export type Evidence = {
  readonly platform: Platform;
  readonly bus: Bus;
  readonly history: History;
  readonly acknowledged: readonly Acknowledged[];
  readonly doses: readonly Dose[];
  readonly say: (line: string) => void;
};

/** Everything that must hold whatever was done to the platform. */
export async function checkEverything(evidence: Evidence): Promise<readonly Breach[]> {
  const { bus, history, doses, say } = evidence;
  await patiently(() => history.catchUp());
  say('checking the ledger, the jobs and the writes that were acknowledged');
  const fromEvents = checkEvents(evidence);
  say('waiting until the chain has settled what was charged');
  const onChain = await checkChain(evidence);
  const letters = wrongDeadLetters(await patiently(() => allDeadLetters(bus)), doses);
  say('rebuilding the read models, twice');
  const rebuilt = await patiently(() => checkReadModels(evidence));
  say('comparing the archive with the streams');
  const archived = await patiently(() => checkArchive(evidence));
  say('giving the recorded commands once more');
  const repeated = await checkRepetition(evidence);
  await patiently(() => history.catchUp());
  // Repeating must not have broken what held before.
  const afterwards = repeated.length > 0 ? [] : checkEvents(evidence);
  return distinct([
    ...fromEvents,
    ...onChain,
    ...letters,
    ...rebuilt,
    ...archived,
    ...repeated,
    ...afterwards,
  ]);
}

function checkEvents({ history, acknowledged }: Evidence): readonly Breach[] {
  const events = history.all;
  return [
    ...unbalanced(history.of('billing')),
    ...notEndedOnce(events),
    ...settledTwice(events),
    ...stillReserved(events),
    ...lostWrites(events, acknowledged),
    ...recordedTwice(events),
  ];
}

/** I4 and I5: what is on its way to the chain is given the time to get there. */
async function checkChain({ platform, history }: Evidence): Promise<readonly Breach[]> {
  for (const deadline = Date.now() + livenessLimitMs; ;) {
    const { escrowAtto } = await patiently(() => heldByEscrow(platform));
    await patiently(() => history.catchUp());
    const breaches = notOnChain(history.of('billing'), escrowAtto);
    if (breaches.length === 0 || Date.now() > deadline) return breaches;
    await sleep(pollMs);
  }
}

/** I3: the read models equal a rebuild; I8: applying everything again changes nothing. */
async function checkReadModels({ platform, history }: Evidence): Promise<readonly Breach[]> {
  const rebuild = await Rebuild.create(
    platform.adminDatabaseUrl,
    `chaos_rebuild_${process.pid}_${Date.now()}`,
  );
  try {
    await rebuild.replay(history);
    let fresh = await snapshotOf(rebuild.url);
    const deadline = Date.now() + catchUpLimitMs;
    let different = differences(await snapshotOf(platform.adminDatabaseUrl), fresh);
    while (different.length > 0 && Date.now() < deadline) {
      await sleep(pollMs);
      // Nodes may come and go meanwhile: the live one may be ahead as well as behind.
      await history.catchUp();
      await rebuild.replay(history);
      fresh = await snapshotOf(rebuild.url);
      different = differences(await snapshotOf(platform.adminDatabaseUrl), fresh);
    }
    await rebuild.replay(history);
    const again = differences(fresh, await snapshotOf(rebuild.url));
    return [
      ...different.map(detail => ({ invariant: 'I3', detail: `live against rebuilt: ${detail}` })),
      ...again.map(detail => ({ invariant: 'I8', detail: `once against twice: ${detail}` })),
    ];
  } finally {
    await rebuild.drop();
  }
}

/** I7: every event of a quiet stream is in the archive, and its chain of hashes is whole. */
async function checkArchive({ platform, bus }: Evidence): Promise<readonly Breach[]> {
  const breaches: Breach[] = [];
  for (const context of contexts) {
    const archive = new Archive({ url: platform.databaseUrlOf(context), schema: context });
    try {
      const { findings } = await verify(bus, archive, eventStreamOf(context), { allowedLagMs: archiveLagMs });
      breaches.push(
        ...findings.map(({ says }) => ({ invariant: 'I7', detail: `archive of ${context}: ${says}` })),
      );
    } finally {
      await archive.close();
    }
  }
  return breaches;
}

/** I8: commands whose events are recorded, given once more after the duplicate window, lead to no event. */
async function checkRepetition({ bus, history }: Evidence): Promise<readonly Breach[]> {
  const recorded = new Set(history.all.map(({ metadata }) => metadata.causationId));
  const before = new Set(history.all.map(({ id }) => id));
  const repeated = new Set<string>();
  for (const context of contexts) {
    const messages = await patiently(() => newestOf(bus, commandStreamOf(context), repeatedMax));
    for (const message of messages) {
      if (!recorded.has(message.id) || repeated.has(message.id)) continue;
      repeated.add(message.id);
      await patiently(() => message.repeat('second-replay'));
    }
  }
  const deadline = Date.now() + livenessLimitMs;
  while ((await patiently(() => busyLanes(bus))).length > 0 && Date.now() < deadline) await sleep(pollMs);
  await patiently(() => history.catchUp());
  const busy = (await patiently(() => busyLanes(bus))).map(lane => ({
    invariant: 'liveness',
    detail: `after the repetition: ${lane}`,
  }));
  return [
    ...busy,
    ...history.all
      .filter(({ id, metadata }) => !before.has(id) && repeated.has(metadata.causationId))
      .map(({ event, id, metadata }) => ({
        invariant: 'I8',
        detail: `${event.type} ${id} came of the repeated command ${metadata.causationId}`,
      })),
  ];
}

const distinct = (breaches: readonly Breach[]): readonly Breach[] => [
  ...new Map(breaches.map(breach => [`${breach.invariant} ${breach.detail}`, breach])).values(),
];
