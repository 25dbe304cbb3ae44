import type { LogSink } from '../log.js';
import type { PortBook } from '../port-book.js';
import type { ProcessRegister } from '../process-register.js';
import type { StateFolder } from '../state.js';

/** The servers that the services stand on. */
export type Infrastructure = {
  readonly natsUrl: string;
  /** Path of the .creds file of one client; undefined where the server lets everybody in. */
  credentialsFileOf(client: string): string | undefined;
  /** A superuser's URL. */
  readonly databaseAdminUrl: string;
  readonly agentAccountPublicKey: string;
  readonly agentSigningSeed: string;
  /** Strikes a server that runs as a process of this machine; absent where it does not. */
  signal?(server: ServerName, signal: NodeJS.Signals): void;
  stop(): Promise<void>;
};

export type ServerName = 'nats' | 'postgres';

export type InfrastructureKind = 'embedded' | 'containers' | 'external';

/** What a kind of infrastructure may use to start itself. */
export type Ground = {
  readonly state: StateFolder;
  readonly ports: PortBook;
  readonly register: ProcessRegister;
  readonly log: LogSink;
  /** What JetStream may reserve on disk; what it finds to be free when it is not given. */
  readonly natsStoreMaxBytes?: number;
};
