import type { LogSink } from '../log.js';
import type { PortBook } from '../port-book.js';
import type { ProcessRegister } from '../process-register.js';
import type { StateFolder } from '../state.js';

/** The servers that the services stand on. */
export type Infrastructure = {
  readonly natsUrl: string;
  /** Where agents reach it, over each transport, separated by commas. */
  readonly natsPublicUrl: string;
  /** Path of the .creds file of one client; undefined where the server lets everybody in. */
  credentialsFileOf(client: string): string | undefined;
  /** A superuser's URL. */
  readonly databaseAdminUrl: string;
  readonly agentAccountPublicKey: string;
  readonly agentSigningSeed: string;
  /** What it takes to revoke agents' keys on the server; undefined where nobody gave it. */
  readonly agentAccountKeeper: AgentAccountKeeper | undefined;
  /** Undefined where no service needs a chain. */
  readonly chain: Chain | undefined;
  /** Strikes a server that runs as a process of this machine; absent where it does not. */
  signal?(server: ServerName | 'anvil', signal: NodeJS.Signals): void;
  stop(): Promise<void>;
};

export type AgentAccountKeeper = {
  /** Signs accounts. */
  readonly operatorSigningSeed: string;
  /** Of the system account, for reading and replacing the JWT of the agents' account alone. */
  readonly credentialsFile: string;
};

export type Chain = {
  /** Endpoints of one chain, in the order of preference, separated by commas. */
  readonly rpcUrl: string;
  /** Where the protocol is on it; undefined: it is the platform's own chain, and nothing is there at first. */
  readonly addressesFile: string | undefined;
  /** Holds the key that may settle on somebody else's chain; undefined: nothing is settled there. */
  readonly settlerKeyFile?: string;
};

/** Those that store something. */
export type ServerName = 'nats' | 'postgres';

export type InfrastructureKind = 'embedded' | 'containers' | 'external';

/** What a kind of infrastructure may use to start itself. */
export type Ground = {
  readonly state: StateFolder;
  readonly ports: PortBook;
  readonly register: ProcessRegister;
  readonly log: LogSink;
  /** Whether a service that is to be started needs a chain. */
  readonly needsChain: boolean;
  /** What JetStream may reserve on disk; what it finds to be free when it is not given. */
  readonly natsStoreMaxBytes?: number;
  /** How many NATS servers stand between the agents and the one that stores. */
  readonly leafServers: number;
};
