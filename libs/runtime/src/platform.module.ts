import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { MikroORM, type EntityManager, type EntitySchema } from '@mikro-orm/postgresql';
import { Module, type DynamicModule, type OnApplicationShutdown, type Provider } from '@nestjs/common';
import { Archive } from '@astro/archive/archive';
import { Archiver } from '@astro/archive/archiver';
import type { AnyDecider, Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import type { GatheringReactor, Reactor } from '@astro/event-sourcing/reactor';
import { AggregateStore } from '@astro/jetstream/aggregate-store';
import { Bus } from '@astro/jetstream/bus';
import { CommandBus } from '@astro/jetstream/command-bus';
import { commandUnits, type AnyAggregateStore } from '@astro/jetstream/command-lane';
import { gatheringUnit } from '@astro/jetstream/gathering-lane';
import { replaysUnit } from '@astro/jetstream/dead-letters-replays';
import { EventStore } from '@astro/jetstream/event-store';
import { reactorUnit } from '@astro/jetstream/reactor-lane';
import { JetStreamServer } from '@astro/jetstream/server';
import { SharedWork, type Unit } from '@astro/jetstream/shared-work';
import { Snapshots } from '@astro/jetstream/snapshots';
import { ensureStreams } from '@astro/jetstream/streams';
import { openDatabase, openReader } from '@astro/postgres/database';
import type { CommonConfig } from './config.js';
import { HealthChecks } from './health.js';
import { Lanes } from './lanes.js';
import { logFor } from './logging.js';
import { connectPatiently } from './patience.js';
import { ProjectionLane } from './projection-lane.js';
import { ProjectionReports } from './projection-reports.js';
import { RuntimeModule } from './runtime.module.js';
import { Transports } from './transports.js';
import { WorkReports } from './work-reports.js';

export type PlatformOptions = {
  readonly config: Pick<CommonConfig, 'NATS_URL' | 'NATS_CREDENTIALS_FILE' | 'DATABASE_URL'>;
  /** The bounded context that the service decides for; its schema has the same name. The gateway has none. */
  readonly context?: string;
  /** By name without the context, for example `job`. */
  readonly aggregates?: Readonly<Record<string, AnyDecider>>;
  /** Who answers the questions of the context that no decider can; some ask its aggregates in turn. */
  readonly questions?: Readonly<Record<string, AnyAggregateStore | AnsweringFrom>>;
  readonly projections?: readonly Projection<Message, EntityManager>[];
  readonly reactors?: readonly Reactor[];
  readonly gatheringReactors?: readonly GatheringReactor[];
  readonly entities?: readonly EntitySchema[];
  /** The tables belong to other services: nothing is created, and nothing may be written. */
  readonly reader?: boolean;
};

/** Given the stores of the context's aggregates, by name. */
export type AnsweringFrom = (
  stores: Readonly<Record<string, AggregateStore<unknown, Message, Message>>>,
) => AnyAggregateStore;

/** Token of one aggregate's store: `@Inject(aggregateToken('job')) jobs: AggregateStore<…>`. */
export const aggregateToken = (name: string): string => `aggregate store of ${name}`;

/** Bus, event store, command bus, database, and the lanes that move messages between them. */
@Module({})
export class PlatformModule {
  static forService(options: PlatformOptions): DynamicModule {
    const shared: Provider[] = [
      bus(options),
      { provide: EventStore, inject: [Bus], useFactory: (bus: Bus) => new EventStore(bus) },
      {
        provide: Snapshots,
        inject: [Bus],
        useFactory: (bus: Bus) => new Snapshots(bus, logFor('snapshots')),
      },
      commandBus(options),
      sharedWork(options),
      ...aggregateStores(options),
      ...database(options),
    ];
    return {
      module: PlatformModule,
      global: true,
      imports: [RuntimeModule],
      providers: [...shared, lanes(options), jetStreamServer(options), connections],
      exports: shared.map(provider => ('provide' in provider ? provider.provide : provider)),
    };
  }
}

const serviceName = ({ context }: PlatformOptions): string => context ?? 'gateway';

const hasDatabase = ({ entities = [], projections = [] }: PlatformOptions): boolean =>
  entities.length + projections.length > 0;

const bus = (options: PlatformOptions): Provider => ({
  provide: Bus,
  inject: [HealthChecks],
  async useFactory(checks: HealthChecks) {
    const { NATS_URL: servers, NATS_CREDENTIALS_FILE: path } = options.config;
    const credentials = path === undefined ? {} : { credentials: await readFile(path, 'utf8') };
    const connect = () => Bus.connect({ servers, name: serviceName(options), ...credentials });
    const log = logFor('bus');
    const bus = await connectPatiently('NATS', connect, log);
    await connectPatiently('JetStream', () => ensureStreams(bus), log);
    checks.register('bus', () => (bus.isUp ? undefined : 'not connected'));
    return bus;
  },
});

/** The requester is named after this process, because outcomes find their way back by it. */
const commandBus = (options: PlatformOptions): Provider => ({
  provide: CommandBus,
  inject: [Bus],
  useFactory: (bus: Bus) => new CommandBus(bus, `${serviceName(options)}-${randomBytes(8).toString('hex')}`),
});

const aggregateStores = ({ context, aggregates = {} }: PlatformOptions): Provider[] =>
  Object.entries(aggregates).map(([name, decider]) => ({
    provide: aggregateToken(name),
    inject: [EventStore, Snapshots],
    useFactory(store: EventStore, snapshots: Snapshots) {
      if (context === undefined) throw new Error(`the aggregate ${name} belongs to no context`);
      return new AggregateStore(store, `${context}.${name}`, decider, { snapshots });
    },
  }));

function database(options: PlatformOptions): Provider[] {
  if (!hasDatabase(options)) return [];
  const { config, context, entities = [], projections = [], reader = false } = options;
  const log = logFor('database');
  const connection = { url: config.DATABASE_URL, entities, warn: (line: string) => log.warn(line) };
  const open = () => {
    if (reader) return openReader(connection);
    if (context === undefined) throw new Error('a service without a context can only read tables');
    return openDatabase({ ...connection, schema: context, projections });
  };
  return [
    {
      provide: MikroORM,
      inject: [HealthChecks],
      async useFactory(checks: HealthChecks) {
        const orm = await connectPatiently('PostgreSQL', open, log);
        checks.register('database', async () => void (await orm.em.fork().execute('select 1')));
        return orm;
      },
    },
  ];
}

/** Controllers add their messages to it as the transport starts. */
const sharedWork = (options: PlatformOptions): Provider => ({
  provide: SharedWork,
  inject: [Bus, WorkReports],
  useFactory(bus: Bus, reports: WorkReports) {
    const work = new SharedWork(bus, serviceName(options), logFor('work'));
    reports.register(() => work.report());
    return work;
  },
});

type LaneDependencies = [
  Bus,
  CommandBus,
  SharedWork,
  HealthChecks,
  ProjectionReports,
  MikroORM | undefined,
  ...AggregateStore<unknown, Message, Message>[],
];

/** Commands are decided and events reacted to by one process each; every process projects and archives. */
function lanes(options: PlatformOptions): Provider {
  const { aggregates = {}, questions = {}, projections = [], reader } = options;
  const names = Object.keys(aggregates);
  if (reader && projections.length > 0) throw new Error('a reader cannot run projections');
  return {
    provide: Lanes,
    inject: [
      Bus,
      CommandBus,
      SharedWork,
      HealthChecks,
      ProjectionReports,
      { token: MikroORM, optional: true },
      ...names.map(aggregateToken),
    ],
    useFactory(...[bus, commands, work, checks, reports, orm, ...stores]: LaneDependencies) {
      const byName = Object.fromEntries(names.map((name, index) => [name, stores[index]!]));
      const answering = Object.entries(questions).map(([name, who]) => {
        return [name, typeof who === 'function' ? who(byName) : who] as const;
      });
      const deciding = { ...byName, ...Object.fromEntries(answering) };
      for (const unit of unitsOf(options, deciding, bus, commands)) work.add(unit);
      const projectionLanes = projectionLanesOf(options, bus, orm);
      for (const lane of projectionLanes) reports.register(() => lane.report());
      const archivers = orm ? archiversOf(options, bus) : [];
      return new Lanes([...projectionLanes, ...archivers], work, checks);
    },
  };
}

function unitsOf(
  options: PlatformOptions,
  aggregates: Readonly<Record<string, AnyAggregateStore>>,
  bus: Bus,
  commands: CommandBus,
): readonly Unit[] {
  const { context, reactors = [], gatheringReactors = [] } = options;
  const decides = context !== undefined && Object.keys(aggregates).length > 0;
  return [
    ...(decides ? commandUnits(bus, { context, aggregates, log: logFor('commands') }) : []),
    ...reactors.map(reactor => reactorUnit(bus, reactor, commands, logFor(reactor.name))),
    ...gatheringReactors.map(reactor => gatheringUnit(bus, reactor, commands, logFor(reactor.name))),
    ...(reactors.length > 0
      ? [replaysUnit(bus, serviceName(options), reactors, commands, logFor('replays'))]
      : []),
  ];
}

const projectionLanesOf = (
  { config: { DATABASE_URL: url }, entities = [], projections = [] }: PlatformOptions,
  bus: Bus,
  orm: MikroORM | undefined,
): ProjectionLane[] =>
  projections.map(
    projection =>
      new ProjectionLane({ bus, orm: orm!, projection, url, entities, log: logFor(projection.name) }),
  );

/** A context's events are archived by the service that owns them, into its own schema. */
function archiversOf({ context, config, reader }: PlatformOptions, bus: Bus): Archiver[] {
  if (context === undefined || reader) return [];
  const log = logFor('archive');
  const warn = (line: string) => log.warn(line);
  const archive = new Archive({ url: config.DATABASE_URL, schema: context, warn });
  return [new Archiver(bus, archive, context, log)];
}

const jetStreamServer = (options: PlatformOptions): Provider => ({
  provide: JetStreamServer,
  inject: [Bus, SharedWork, Transports],
  useFactory(bus: Bus, work: SharedWork, transports: Transports) {
    const server = new JetStreamServer({ bus, service: serviceName(options), work, log: logFor('messages') });
    transports.add(server);
    return server;
  },
});

/** Closed last of all: everything else may still use them while it drains. */
class Connections implements OnApplicationShutdown {
  constructor(
    private readonly bus: Bus,
    private readonly orm: MikroORM | undefined,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.bus.close(), this.orm?.close()]);
  }
}

const connections: Provider = {
  provide: Connections,
  inject: [Bus, { token: MikroORM, optional: true }],
  useFactory: (bus: Bus, orm: MikroORM | undefined) => new Connections(bus, orm),
};
