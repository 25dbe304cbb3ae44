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
  readonly agentAccountPublicKey: string;
  readonly agentSigningSeed: string;
};

type Setting = (surroundings: Surroundings, service: string) => string | undefined;

export type ServiceRow = {
  readonly name: string;
  /** The schema that it owns, as the role of the same name; the gateway owns none and only reads. */
  readonly context: string | undefined;
  readonly settings: Readonly<Record<string, Setting>>;
};

const commonSettings = {
  NATS_URL: at => at.natsUrl,
  NATS_CREDENTIALS_FILE: (at, service) => at.credentialsFileOf(service),
  DATABASE_URL: (at, service) => at.databaseUrlOf(service),
  HTTP_HOST: at => at.httpHost,
  HTTP_PORT: (at, service) => String(at.httpPortOf(service)),
  LOG_LEVEL: at => at.logLevel,
} satisfies Readonly<Record<string, Setting>>;

/** The pool of an installation that has one. */
const poolId = 'main';

/**
 * Every service of the platform and every key of its configuration that is not left at its default. The supervisor
 * starts what stands here; docker-compose.yml is compared with it by test.
 */
export const services = [
  { name: 'registry', context: 'registry', settings: commonSettings },
  { name: 'scheduling', context: 'scheduling', settings: { ...commonSettings, POOL_ID: () => poolId } },
  { name: 'billing', context: 'billing', settings: commonSettings },
  { name: 'verification', context: 'verification', settings: commonSettings },
  {
    name: 'gateway',
    context: undefined,
    settings: {
      ...commonSettings,
      CONTENT_DIR: at => at.contentDir,
      NATS_PUBLIC_URL: at => at.natsPublicUrl,
      AGENT_ACCOUNT_PUBLIC_KEY: at => at.agentAccountPublicKey,
      AGENT_SIGNING_SEED: at => at.agentSigningSeed,
      POOL_ID: () => poolId,
    },
  },
] as const satisfies readonly ServiceRow[];

export type ServiceName = (typeof services)[number]['name'];

export const serviceNames: readonly ServiceName[] = services.map(({ name }) => name);

/** The environment of one service. */
export function environmentOf(row: ServiceRow, surroundings: Surroundings): Record<string, string> {
  const entries = Object.entries(row.settings).flatMap(([key, valueOf]) => {
    const value = valueOf(surroundings, row.name);
    return value === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(entries);
}
