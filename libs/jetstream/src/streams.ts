import {
  DiscardPolicy,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { Kvm, type KvOptions } from '@nats-io/kv';
import { nanos, type WithRequired } from '@nats-io/transport-node';
import { catalogue } from '@astro/messages/catalogue';
import type { Bus } from './bus.js';
import { backOffMs, delay } from './delay.js';
import { reasonOf, type Log } from './log.js';
import { commandStreamOf, commandTransform, contexts, eventStreamOf } from './subjects.js';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;
const DAY_MS = 24 * HOUR_MS;
const KIB = 1_024;
const MIB = 1_024 * KIB;

const NAME_IN_USE = 10058;

/**
 * Repeated publishing within this window is recognised by id; beyond it, expected sequences are the guard.
 */
export const DUPLICATE_WINDOW_MS = 2 * 60 * SECOND_MS;

type Definition = WithRequired<Partial<StreamConfig>, 'name'>;

export type StreamOptions = { readonly replicas?: number; readonly log?: Log };

/** A server that comes back is ready for requests a moment after it takes connections. */
const RESTORE_ATTEMPTS = 20;
const RESTORE_BACK_OFF = { baseMs: 50, maxMs: 2_000 };

/** Buses whose streams are made again after a reconnection. */
const kept = new WeakSet<Bus>();

/**
 * Makes every stream and bucket, or brings them up to date. Several processes may do this at once. Streams
 * in memory go with the server that held them, so this is done again after each reconnection.
 */
export async function ensureStreams(bus: Bus, options: StreamOptions = {}): Promise<void> {
  await ensureAll(bus, options);
  if (kept.has(bus)) return;
  kept.add(bus);
  bus.onReconnect(() => void restore(bus, options));
}

async function ensureAll(bus: Bus, { replicas = 1 }: StreamOptions): Promise<void> {
  await Promise.all(definitions().map(definition => ensureStream(bus, definition, replicas)));
  await Promise.all(
    buckets.map(({ name, ...bucket }) => new Kvm(bus.js).create(name, { ...bucket, replicas })),
  );
}

async function restore(bus: Bus, options: StreamOptions): Promise<void> {
  for (let attempt = 1; attempt <= RESTORE_ATTEMPTS && bus.isUp; attempt++) {
    try {
      return await ensureAll(bus, options);
    } catch (error) {
      options.log?.warn('the streams are not back yet', { attempt, reason: reasonOf(error) });
      await delay(backOffMs(attempt, RESTORE_BACK_OFF));
    }
  }
}

async function ensureStream(bus: Bus, definition: Definition, replicas: number): Promise<void> {
  const wanted = { ...definition, num_replicas: replicas };
  const { config } = await bus.jsm.streams.add(wanted).catch((error: unknown) => {
    if (!(error instanceof JetStreamApiError) || error.code !== NAME_IN_USE) throw error;
    return bus.jsm.streams.update(wanted.name, wanted);
  });
  // An old server drops a setting that it does not know without a word.
  if (wanted.allow_atomic && config.allow_atomic !== true) {
    throw new Error(`the NATS server did not take allow_atomic on ${wanted.name}`);
  }
}

const definitions = (): readonly Definition[] => [
  ...contexts.flatMap(context => [eventStream(context), commandStream(context)]),
  {
    name: 'OUTCOMES',
    subjects: ['out.>'],
    storage: StorageType.Memory,
    max_age: nanos(2 * 60 * SECOND_MS),
    max_bytes: 64 * MIB,
    max_msg_size: 64 * KIB,
    allow_direct: true,
  },
  ...agentStreams(),
  {
    name: 'DEAD_LETTERS',
    subjects: ['dlq.>'],
    storage: StorageType.File,
    max_age: nanos(30 * DAY_MS),
    max_bytes: 1_024 * MIB,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    allow_direct: true,
  },
  {
    // Who decided what about the platform, and why: outlives what was decided about.
    name: 'AUDIT',
    subjects: ['audit.>'],
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_msg_size: 64 * KIB,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    deny_delete: true,
    deny_purge: true,
    allow_direct: true,
  },
  {
    // States of long-lived aggregates; any of them can be lost and is made again.
    name: 'SNAPSHOTS',
    subjects: ['snapshot.>'],
    storage: StorageType.File,
    max_msgs_per_subject: 1,
    max_age: nanos(30 * DAY_MS),
    max_bytes: 4_096 * MIB,
    max_msg_size: MIB,
    allow_atomic: true,
    allow_direct: true,
  },
];

/** What agents say, and what programs write. */
const agentStreams = (): readonly Definition[] => [
  {
    name: 'AGENT_REPORTS',
    // One by one, so that a node's desired state, published beside its reports, is not captured.
    subjects: subjectsOf('report', 'agent'),
    storage: StorageType.File,
    max_age: nanos(DAY_MS),
    max_bytes: 1_024 * MIB,
    max_msg_size: 256 * KIB,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    deny_delete: true,
  },
  {
    name: 'TELEMETRY',
    subjects: ['telemetry.*.*'],
    storage: StorageType.Memory,
    max_age: nanos(HOUR_MS),
    max_bytes: 64 * MIB,
    max_msg_size: 64 * KIB,
    // Of each kind, so that no node's own flood takes what others say.
    max_msgs_per_subject: 64,
  },
  {
    // What programs wrote, once it was looked at who says so: the last of each lease, for a day.
    name: 'LOGS',
    subjects: ['log.*'],
    storage: StorageType.File,
    max_age: nanos(DAY_MS),
    max_bytes: 1_024 * MIB,
    max_msgs_per_subject: 512,
    max_msg_size: 64 * KIB,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    allow_direct: true,
  },
  {
    // How far programs are, by job, task and lease. Lost with the server: the next one says more.
    name: 'PROGRESS',
    subjects: ['progress.*.*.*'],
    storage: StorageType.Memory,
    max_age: nanos(DAY_MS),
    max_bytes: 64 * MIB,
    max_msgs_per_subject: 1,
    max_msg_size: 4 * KIB,
    allow_direct: true,
  },
];

/** The record: nothing ages out of it, and nothing can be deleted from it. */
const eventStream = (context: string): Definition => ({
  name: eventStreamOf(context),
  subjects: [`evt.${context}.>`],
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.New,
  max_msg_size: 4 * MIB,
  duplicate_window: nanos(DUPLICATE_WINDOW_MS),
  deny_delete: true,
  deny_purge: true,
  allow_atomic: true,
  allow_direct: true,
});

/**
 * Limits rather than a work queue: removing acknowledged messages makes a work queue several times slower.
 */
const commandStream = (context: string): Definition => ({
  name: commandStreamOf(context),
  subjects: [`cmd.${context}.>`],
  subject_transform: commandTransform(context),
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  max_age: nanos(DAY_MS),
  max_msg_size: 4 * MIB,
  duplicate_window: nanos(DUPLICATE_WINDOW_MS),
  deny_delete: true,
  allow_atomic: true,
});

const subjectsOf = (kind: 'report' | 'telemetry', root: string): string[] =>
  catalogue.filter(entry => entry.kind === kind).map(({ name }) => `${root}.*.${name}`);

type Bucket = { readonly name: string } & Partial<KvOptions>;

const buckets: readonly Bucket[] = [
  {
    name: 'desired',
    description: 'What each node should be running; the last value is all that counts.',
    history: 1,
    maxValueSize: MIB,
    republish: { src: '$KV.desired.*', dest: 'agent.{{wildcard(1)}}.desired' },
  },
  {
    name: 'audits',
    description: 'What each validator was drawn to run again; the last value is all that counts.',
    history: 1,
    maxValueSize: MIB,
    republish: { src: '$KV.audits.*', dest: 'agent.{{wildcard(1)}}.audits' },
  },
  {
    name: 'writers',
    description: 'Which process may write; a holder that falls silent loses its key.',
    history: 1,
    maxValueSize: KIB,
    markerTTL: 60 * SECOND_MS,
  },
  {
    name: 'work',
    description: 'Which processes share the work of a service, and who has claimed what; members expire.',
    history: 1,
    maxValueSize: 16 * KIB,
    markerTTL: 60 * SECOND_MS,
  },
  {
    name: 'idempotency',
    description: 'Answers already given, by idempotency key.',
    history: 1,
    ttl: DAY_MS,
    maxValueSize: 256 * KIB,
    max_bytes: 256 * MIB,
  },
];
