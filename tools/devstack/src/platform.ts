import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Administration } from '@astro/admin/administration';
import { Bus } from '@astro/jetstream/bus';
import { CommandBus } from '@astro/jetstream/command-bus';
import { ensureStreams } from '@astro/jetstream/streams';
import type { contexts } from '@astro/jetstream/subjects';
import { chainless, PlatformChain } from './chain.js';
import { agentEntry, agentEnvironment, type AgentPlan } from './agents.js';
import { publishConnection, withdrawConnection } from './connection.js';
import { provisionDatabase, type Databases } from './databases.js';
import { chosenKind, startInfrastructure } from './infrastructure/choose.js';
import type { Infrastructure, InfrastructureKind, ServerName } from './infrastructure/infrastructure.js';
import { assertInstances, instancesOf, type Instances } from './instances.js';
import type { LogSink } from './log.js';
import { PortBook } from './port-book.js';
import { ProcessRegister } from './process-register.js';
import { repositoryRoot } from './repository.js';
import {
  environmentOf,
  roleOf,
  serviceNames,
  services,
  type ServiceName,
  type Surroundings,
} from './services.js';
import { StateFolder } from './state.js';
import { Supervisor } from './supervisor.js';

export type PlatformOptions = {
  /** Starting again in the same folder continues from what it holds. */
  readonly stateDir: string;
  /** What ASTRO_INFRA says when it is not given; embedded when that says nothing. */
  readonly infra?: InfrastructureKind;
  /** All when it is not given. */
  readonly services?: readonly ServiceName[];
  /** How many processes of each service share its work. One unless told. */
  readonly instances?: Instances;
  /**
   * Whether billing settles on the chain, where it has the settler's key: money comes by deposits alone then, and the
   * protocol is waited for. Not unless told.
   */
  readonly settles?: boolean;
  /** Changes to the environment of single services, or of single processes of them: `billing`, `billing-2`. */
  readonly env?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Ports to try first: of `gateway`, `nats`, `postgres`, or a service. */
  readonly ports?: Readonly<Record<string, number>>;
  readonly logLevel?: string;
  /** How many NATS servers stand between the agents and the one that stores; none unless told. Embedded only. */
  readonly leafServers?: number;
  /** What JetStream may reserve on disk; what it finds to be free when it is not given. */
  readonly natsStoreMaxBytes?: number;
  readonly log?: LogSink;
  /** Ends a start that is under way; what was started by then is stopped. */
  readonly signal?: AbortSignal;
};

type Context = (typeof contexts)[number];

const host = '127.0.0.1';
const me = 'platform';
/** Answers requests from the other services' tables, so it starts after them and stops before them. */
const edge: ServiceName = 'gateway';

/** Needs the protocol on a chain, which nobody else waits for but who settles there. */
const indexer: ServiceName = 'chain-indexer';
const settler: ServiceName = 'billing';

/** The whole platform on this machine: servers, services and agents, each as a process of its own. */
export class Platform {
  private readonly log: LogSink;
  private readonly ports: PortBook;
  private readonly register: ProcessRegister;
  private readonly supervisor: Supervisor;
  private readonly agents = new Set<string>();
  private readonly buses: Bus[] = [];
  private readonly httpPorts = new Map<string, number>();
  private infrastructure: Infrastructure | undefined;
  private databases: Databases | undefined;
  private commands: CommandBus | undefined;
  private underlying: PlatformChain | undefined;
  private chainStarting: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;

  private constructor(
    private readonly options: PlatformOptions,
    /** For whoever keeps something of their own with the platform. */
    readonly state: StateFolder,
  ) {
    this.log = options.log ?? (() => undefined);
    this.ports = new PortBook(state, options.ports);
    this.register = new ProcessRegister(state);
    this.supervisor = new Supervisor(this.log, this.register);
  }

  /**
   * Resolves when every service is ready, but for the chain-indexer: the first time the protocol is deployed, and the
   * market does not wait for that; `untilChainIsReady` does. When one cannot be started, everything is stopped again.
   */
  static async start(options: PlatformOptions): Promise<Platform> {
    assertInstances(options.instances);
    const platform = new Platform(options, StateFolder.open(options.stateDir));
    try {
      await platform.boot();
      return platform;
    } catch (error) {
      await platform.stop();
      throw error;
    }
  }

  /** Of the first gateway. */
  get gatewayUrl(): string {
    return this.urlOf(edge);
  }

  /** Of each gateway, in the order of their names. */
  get gatewayUrls(): readonly string[] {
    return this.instancesOf(edge).map(name => this.urlOf(name));
  }

  /** Where a process of a service listens. */
  urlOf(name: string): string {
    return `http://${host}:${this.httpPortOf(name)}`;
  }

  /** Names of the processes of one service: its own, and `<name>-2` and so on for further ones. */
  instancesOf(service: ServiceName): readonly string[] {
    return instancesOf(service, this.options.instances);
  }

  get natsUrl(): string {
    return this.started(this.infrastructure).natsUrl;
  }

  /** The platform's database, as superuser. */
  get adminDatabaseUrl(): string {
    return this.started(this.databases).adminUrl;
  }

  /** The platform's database, as one service, or the owner of one context, sees it. */
  databaseUrlOf(name: ServiceName | Context): string {
    const row = services.find(service => service.name === name || service.context === name);
    return this.started(this.databases).urlOf(row ? roleOf(row) : name);
  }

  /** Where the chain is, and the protocol on it. Accounts of the platform's own one anybody may use. */
  get chain(): { readonly rpcUrl: string; readonly addressesFile: string; readonly isOwn: boolean } {
    return this.started(this.underlying).whereabouts;
  }

  /** Whether billing settles on the chain. */
  get settles(): boolean {
    return this.underlying?.settling !== undefined;
  }

  /** Resolves when the protocol is on the chain. @throws Error when that failed */
  untilProtocolIsThere(): Promise<void> {
    return this.started(this.underlying).untilProtocolIsThere();
  }

  /** Resolves when the protocol is on the chain and the chain-indexer is ready. @throws Error when that failed */
  untilChainIsReady(): Promise<void> {
    return this.started(this.chainStarting);
  }

  administration(): Administration {
    return new Administration(this.started(this.commands));
  }

  /** A connection with all the rights of a service. It is closed with the platform at the latest. */
  async connectBus(name = 'visitor'): Promise<Bus> {
    const { natsUrl, credentialsFileOf } = this.started(this.infrastructure);
    const file = credentialsFileOf(name);
    const credentials = file === undefined ? {} : { credentials: readFileSync(file, 'utf8') };
    const bus = await Bus.connect({ servers: natsUrl, name, ...credentials });
    this.buses.push(bus);
    return bus;
  }

  /** Resolves when the agent is enrolled and connected. */
  async startAgent(plan: AgentPlan): Promise<void> {
    if (serviceNames.some(name => this.instancesOf(name).includes(plan.name)))
      throw new Error(`${plan.name} is the name of a service`);
    const httpPort = await this.ports.portFor(`agent-${plan.name}`);
    const contentPort = await this.ports.portFor(`content-${plan.name}`);
    const place = {
      gatewayUrl: this.gatewayUrl,
      stateDir: this.state.folder('agents', plan.name),
      httpPort,
      contentAddress: `${host}:${contentPort}`,
      logLevel: this.logLevel,
    };
    this.agents.add(plan.name);
    await this.startProcess(plan.name, plan.entry ?? agentEntry, agentEnvironment(plan, place), httpPort);
  }

  /** Stops the agent in order: it is gone, as if its operator had switched it off. */
  async stopAgent(name: string): Promise<void> {
    await this.supervisor.stop([name]);
    this.agents.delete(name);
  }

  /** Ends the agent at once and for good, as if its machine had burned. */
  async killAgent(name: string): Promise<void> {
    await this.supervisor.destroy(name);
    this.agents.delete(name);
  }

  /** Of every service and agent that is kept running. */
  get processNames(): readonly string[] {
    return this.supervisor.names;
  }

  /** Undefined while the process waits for its restart. */
  pid(name: string): number | undefined {
    return this.supervisor.pid(name);
  }

  /** Sends a signal to a service or agent; the supervisor starts it again when that ends it. */
  kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): void {
    this.supervisor.kill(name, signal);
  }

  /** Sends a signal to one of the servers under the services; when that ends it, it is started again. */
  signalServer(server: ServerName | 'anvil', signal: NodeJS.Signals): void {
    const infrastructure = this.started(this.infrastructure);
    if (!infrastructure.signal) throw new Error(`${server} is no process of this platform`);
    infrastructure.signal(server, signal);
  }

  /** @param env something more in the environment, until the process ends. */
  restart(name: string, env?: Readonly<Record<string, string>>): Promise<void> {
    return this.supervisor.restart(name, env);
  }

  untilReady(name: string): Promise<void> {
    return this.supervisor.untilReady(name);
  }

  /** Agents, then the gateway, then the services, then the servers. Safe to repeat. */
  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  /** Stops everything and deletes all that the platform kept. */
  async forget(): Promise<void> {
    await this.stop();
    this.state.forget();
  }

  private async boot(): Promise<void> {
    const { options, state, log, ports, register } = this;
    const leftovers = await register.stopLeftovers();
    if (leftovers.length > 0) log(me, `stopped what an earlier run left behind: ${leftovers.join(', ')}`);
    const kind = options.infra ?? chosenKind(process.env);
    const wanted = services.filter(({ name }) => !options.services || options.services.includes(name));
    const needsChain = wanted.some(({ name }) => name === indexer);
    const { natsStoreMaxBytes, leafServers = 0 } = options;
    if (leafServers > 0 && kind !== 'embedded') throw new Error(`leafServers: ${kind} servers have none`);
    const ground = {
      state,
      ports,
      register,
      log,
      needsChain,
      leafServers,
      ...(natsStoreMaxBytes && { natsStoreMaxBytes }),
    };
    this.infrastructure = await startInfrastructure(kind, ground);
    options.signal?.throwIfAborted();
    const { chain, databaseAdminUrl } = this.infrastructure;
    if (chain) this.underlying = new PlatformChain(chain, state, log, options.settles ?? false);

    log(me, 'preparing the database and the streams');
    const bus = await this.connectBus(me);
    this.commands = new CommandBus(bus, me);
    [this.databases] = await Promise.all([provisionDatabase(databaseAdminUrl, state), ensureStreams(bus)]);

    for (const name of wanted.flatMap(row => this.instancesOf(row.name)))
      this.httpPorts.set(name, await ports.portFor(name));
    const surroundings = this.surroundings();
    await this.startServices(
      wanted.filter(({ name }) => name !== edge && name !== indexer),
      surroundings,
    );
    await this.startServices(
      wanted.filter(({ name }) => name === edge),
      surroundings,
    );
    // Last, because it would take the processor from those for whom somebody waits.
    this.beginChain(surroundings);
    this.publishConnection();
  }

  /** Beside everything else; what fails here is told at once, and to whoever waits for it. */
  private beginChain(surroundings: Surroundings): void {
    if (this.underlying === undefined) return;
    this.chainStarting = this.startIndexer(surroundings);
    this.chainStarting.catch((error: unknown) => {
      if (this.stopping === undefined) this.log(me, `the chain could not be started: ${String(error)}`);
    });
  }

  private async startIndexer(surroundings: Surroundings): Promise<void> {
    await this.untilProtocolIsThere();
    if (this.stopping !== undefined) throw new Error('the platform was stopped');
    await this.startServices(
      services.filter(({ name }) => name === indexer),
      surroundings,
    );
  }

  private async startServices(rows: readonly (typeof services)[number][], at: Surroundings): Promise<void> {
    const starting = rows.flatMap(row =>
      this.instancesOf(row.name).map(async name => {
        const script = join(repositoryRoot, 'services', row.name, 'dist/main.js');
        const port = this.httpPortOf(name);
        const changes = { ...this.options.env?.[row.name], ...this.options.env?.[name] };
        const env = { ...environmentOf(row, at), HTTP_PORT: String(port), ...changes };
        if (row.name === settler && this.settles) await this.untilProtocolIsThere();
        return this.startProcess(name, script, env, port);
      }),
    );
    // All have settled before a failure is passed on, so that stopping meets none that is still starting.
    const results = await Promise.allSettled(starting);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  private async startProcess(
    name: string,
    script: string,
    env: Readonly<Record<string, string>>,
    port: number,
  ): Promise<void> {
    const startedAt = Date.now();
    this.log(me, `waiting for ${name}…`);
    const readyUrl = `http://${host}:${port}/health/ready`;
    await this.supervisor.start({ name, script, env, readyUrl }, this.options.signal);
    this.log(me, `${name} is ready after ${((Date.now() - startedAt) / 1_000).toFixed(1)} s`);
  }

  private surroundings(): Surroundings {
    const infrastructure = this.started(this.infrastructure);
    return {
      natsUrl: infrastructure.natsUrl,
      natsPublicUrl: infrastructure.natsPublicUrl,
      credentialsFileOf: service => infrastructure.credentialsFileOf(service),
      databaseUrlOf: role => this.started(this.databases).urlOf(role),
      httpPortOf: service => this.httpPortOf(service),
      httpHost: host,
      logLevel: this.logLevel,
      contentDir: this.state.folder('content'),
      ...(this.underlying?.surroundings ?? chainless),
      agentAccountPublicKey: infrastructure.agentAccountPublicKey,
      agentSigningSeed: infrastructure.agentSigningSeed,
      agentAccountKeeper: infrastructure.agentAccountKeeper,
    };
  }

  private get logLevel(): string {
    return this.options.logLevel ?? process.env['LOG_LEVEL'] ?? 'info';
  }

  private httpPortOf(service: string): number {
    const port = this.httpPorts.get(service);
    if (port === undefined) throw new Error(`${service} is not part of this platform`);
    return port;
  }

  private publishConnection(): void {
    if (!this.httpPorts.has(edge)) return;
    const { gatewayUrl, state } = this;
    publishConnection(state, gatewayUrl, this.started(this.infrastructure), this.started(this.databases));
  }

  private async shutDown(): Promise<void> {
    withdrawConnection(this.state);
    const gateways = this.instancesOf(edge);
    const stages = [
      [...this.agents],
      gateways,
      this.supervisor.names.filter(name => !gateways.includes(name) && !this.agents.has(name)),
    ];
    for (const names of stages) {
      const running = names.filter(name => this.supervisor.names.includes(name));
      if (running.length > 0) this.log(me, `stopping ${running.join(', ')}`);
      await this.supervisor.stop(running);
    }
    await Promise.all(this.buses.map(bus => bus.close()));
    this.log(me, 'stopping the servers');
    await this.infrastructure?.stop();
    // A deployment that is under way ends with its chain, and writes here until then.
    await Promise.allSettled([this.underlying?.atRest(), this.chainStarting]);
    this.state.close();
  }

  private started<T>(part: T | undefined): T {
    if (part === undefined) throw new Error('The platform is not that far yet.');
    return part;
  }
}
