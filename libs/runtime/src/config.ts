import { z } from 'zod';

const urlWith = (protocols: readonly string[]) =>
  z.string().refine(
    text => {
      const url = URL.parse(text);
      return url !== null && protocols.includes(url.protocol);
    },
    `must be a URL that starts with ${protocols.map(protocol => `${protocol}//`).join(' or ')}`,
  );

/** NATS takes several servers, separated by commas. */
const natsUrls = z
  .string()
  .refine(
    text => text.split(',').every(server => /^(nats|tls):\/\/[^\s,/]+$/.test(server)),
    'must be nats://host:port, or several of them separated by commas',
  );

/** The keys that every service has; a service spreads them into its own schema. */
export const commonConfig = {
  NATS_URL: natsUrls,
  /** Path of a .creds file; without it the server must let this client in as it is. */
  NATS_CREDENTIALS_FILE: z.string().optional(),
  DATABASE_URL: urlWith(['postgresql:', 'postgres:']),
  HTTP_HOST: z.string().default('127.0.0.1'),
  /** 0 lets the operating system choose; the service logs where it listens. */
  HTTP_PORT: z.coerce.number().int().min(0).max(65_535),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
};

export type CommonConfig = z.infer<z.ZodObject<typeof commonConfig>>;

/** One line for each variable that is wrong. Values are not repeated: they may be secrets. */
export class InvalidConfig extends Error {
  override readonly name = 'InvalidConfig';
  constructor(readonly lines: readonly string[]) {
    super(lines.join('\n'));
  }
}

/** The configuration in `env`. A variable that is set to nothing counts as not set. @throws InvalidConfig */
export function readConfig<T>(schema: z.ZodType<T>, env: NodeJS.ProcessEnv): T {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const lines = new Map<string, string>();
  for (const { path, code, message } of parsed.error.issues) {
    const variable = path.length > 0 ? String(path[0]) : 'configuration';
    const missing = path.length > 0 && code !== 'custom' && given[variable] === undefined;
    const rule = missing ? 'is not set' : lowered(message);
    if (!lines.has(variable)) lines.set(variable, `${variable}: ${rule}`);
  }
  throw new InvalidConfig([...lines.values()]);
}

/** For `main.ts`: on a bad value the process says which, one line each, and ends with exit code 1. */
export function loadConfig<T>(schema: z.ZodType<T>, env: NodeJS.ProcessEnv = process.env): T {
  try {
    return readConfig(schema, env);
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error;
    process.stderr.write(error.lines.map(line => `configuration: ${line}\n`).join(''));
    process.exit(1);
  }
}

const lowered = (message: string): string => message.charAt(0).toLowerCase() + message.slice(1);
