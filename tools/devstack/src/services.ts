import { hash } from 'node:crypto';

/** What billing needs beside the chain's whereabouts; what is not given is left at its default. */
export type Settling = {
  readonly settlerKeyFile: string;
  readonly confirmations?: number;
  readonly everyMs?: number;
};

/** Where a service finds what it needs. The supervisor, and nobody else, makes one. */
export type Surroundings = {
  readonly natsUrl: string;
  /** Where agents on other machines reach NATS. */
  readonly natsPublicUrl: string;
  /** Path of the service's own credentials; undefined where the server lets everybody in. */
  credentialsFileOf(service: string): string | undefined;
  databaseUrlOf(role: string): string;
  httpPortOf(service: string): number;
  readonly httpHost: string;
  readonly logLevel: string;
  readonly contentDir: string;
  /** Endpoints of the chain, separated by commas. */
  readonly rpcUrl: string;
  /** Undefined where there is no chain. */
  readonly chainId: string | undefined;
  /** What `npm run chain -- deploy` wrote. */
  readonly chainAddressesFile: string;
  /** Undefined where billing settles nothing on the chain. */
  readonly settling: Settling | undefined;
  readonly agentAccountPublicKey: string;
  readonly agentSigningSeed: string;
  /** Undefined where no key of an agent is revoked on the server. */
  readonly agentAccountKeeper:
    { readonly operatorSigningSeed: string; readonly credentialsFile: string } | undefined;
};

type Setting = (surroundings: Surroundings, row: Named) => string | undefined;

type Named = {
  readonly name: string;
  /** The schema that it owns, as the role of the same name; the gateway owns none and only reads. */
  readonly context: string | undefined;
};

export type ServiceRow = Named & {
  readonly settings: Readonly<Record<string, Setting>>;
};

const commonSettings = {
  NATS_URL: at => at.natsUrl,
  NATS_CREDENTIALS_FILE: (at, { name }) => at.credentialsFileOf(name),
  DATABASE_URL: (at, row) => at.databaseUrlOf(roleOf(row)),
  HTTP_HOST: at => at.httpHost,
  HTTP_PORT: (at, { name }) => String(at.httpPortOf(name)),
  LOG_LEVEL: at => at.logLevel,
} satisfies Readonly<Record<string, Setting>>;

/** Who the service is to the database. */
export function roleOf({ name, context }: Named): string {
  return context ?? name;
}

/** The pool of an installation that has one. */
const poolId = 'main';

/**
 * Every service of the platform and every key of its configuration that is not left at its default. The supervisor
 * starts what stands here; docker-compose.yml is compared with it by test.
 */
export const services = [
  {
    name: 'registry',
    context: 'registry',
    settings: {
      ...commonSettings,
      AGENT_ACCOUNT_PUBLIC_KEY: at => at.agentAccountPublicKey,
      OPERATOR_SIGNING_SEED: at => at.agentAccountKeeper?.operatorSigningSeed,
      NATS_ACCOUNT_KEEPER_CREDENTIALS_FILE: at => at.agentAccountKeeper?.credentialsFile,
      // Its agents are beside it, on the same machine or in the same private network.
      CONTENT_PRIVATE_ADDRESSES: () => 'true',
    },
  },
  { name: 'scheduling', context: 'scheduling', settings: { ...commonSettings, POOL_ID: () => poolId } },
  {
    name: 'billing',
    context: 'billing',
    settings: {
      ...commonSettings,
      RPC_URL: at => at.settling && at.rpcUrl,
      CHAIN_ADDRESSES_FILE: at => at.settling && at.chainAddressesFile,
      SETTLER_KEY_FILE: at => at.settling?.settlerKeyFile,
      CHAIN_CONFIRMATIONS: at => at.settling?.confirmations?.toString(),
      SETTLEMENT_EVERY_MS: at => at.settling?.everyMs?.toString(),
    },
  },
  {
    name: 'verification',
    context: 'verification',
    settings: {
      ...commonSettings,
      // Follows from a secret that is kept, so that audits whose draw is waited for outlive a restart.
      AUDIT_SECRET: at => hash('sha256', `audits ${at.agentSigningSeed}`),
    },
  },
  {
    name: 'chain-indexer',
    context: 'chain',
    settings: {
      ...commonSettings,
      RPC_URL: at => at.rpcUrl,
      CHAIN_ADDRESSES_FILE: at => at.chainAddressesFile,
    },
  },
  {
    name: 'gateway',
    context: undefined,
    settings: {
      ...commonSettings,
      CONTENT_DIR: at => at.contentDir,
      NATS_PUBLIC_URL: at => at.natsPublicUrl,
      AGENT_ACCOUNT_PUBLIC_KEY: at => at.agentAccountPublicKey,
      AGENT_SIGNING_SEED: at => at.agentSigningSeed,
      CHAIN_ID: at => at.chainId,
      POOL_ID: () => poolId,
    },
  },
] as const satisfies readonly ServiceRow[];

export type ServiceName = (typeof services)[number]['name'];

export const serviceNames: readonly ServiceName[] = services.map(({ name }) => name);

/** The environment of one service. */
export function environmentOf(row: ServiceRow, surroundings: Surroundings): Record<string, string> {
  const entries = Object.entries(row.settings).flatMap(([key, valueOf]) => {
    const value = valueOf(surroundings, row);
    return value === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(entries);
}
