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
  stop(): Promise<void>;
};

export type InfrastructureKind = 'embedded' | 'containers' | 'external';

/** What a kind of infrastructure may use to start itself. */
export type Ground = {
  readonly state: StateFolder;
  readonly ports: PortBook;
  readonly register: ProcessRegister;
  readonly log: LogSink;
};
