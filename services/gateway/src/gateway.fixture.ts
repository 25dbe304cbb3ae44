import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Platform } from '@astro/devstack/platform';
import { generateOperatorKit } from '@astro/jetstream/operator-kit';
import { readConfig } from '@astro/runtime/config';
import { jsonLog } from '@astro/runtime/logging';
import { openService, type Service } from '@astro/runtime/start-service';
import { cidOfSha256 } from '@astro/messages/content-id';
import { createHash } from 'node:crypto';
import { gatewayConfig } from './gateway.config.js';
import { GatewayModule } from './gateway.module.js';

/**
 * A gateway in this process, with the real servers and services around it: what its end-to-end specs run
 * against.
 */
export type GatewayUnderTest = {
  readonly url: string;
  readonly service: Service;
  readonly platform: Platform;
  readonly contentDir: string;
  call(method: string, path: string, request?: CallOptions): Promise<Answer>;
  stop(): Promise<void>;
};

export type CallOptions = {
  readonly key?: string;
  /** Sent as JSON, or as it is when it is bytes or text. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
};
export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Record<string, unknown>;
};

export async function startGateway(
  overrides: Readonly<Record<string, string>> = {},
): Promise<GatewayUnderTest> {
  const stateDir = await mkdtemp(join(tmpdir(), 'astro-gateway-'));
  const platform = await Platform.start({
    stateDir,
    services: ['registry', 'scheduling', 'billing'],
    // Nothing here offers capacity: a job stays queued until it is cancelled.
    env: { scheduling: { PLACEMENT_PATIENCE_MS: '600000' } },
    logLevel: 'warn',
  });
  const forget = async () => {
    await platform.stop();
    await rm(stateDir, { recursive: true, force: true });
  };
  try {
    const contentDir = join(stateDir, 'content');
    const service = await openGateway(platform, {
      CONTENT_DIR: contentDir,
      NATS_CREDENTIALS_FILE: join(stateDir, 'credentials', 'gateway.creds'),
      ...overrides,
    });
    const call = (method: string, path: string, options: CallOptions = {}) =>
      send(`${service.url}${path}`, method, options);
    const stop = () => service.stop().finally(forget);
    return { url: service.url, service, platform, contentDir, call, stop };
  } catch (error) {
    await forget();
    throw error;
  }
}

async function openGateway(
  platform: Platform,
  overrides: Readonly<Record<string, string>>,
): Promise<Service> {
  const kit = generateOperatorKit();
  // Connecting under a name makes the platform write the credentials of that name.
  await platform.connectBus('gateway');
  const config = readConfig(gatewayConfig, {
    NATS_URL: platform.natsUrl,
    DATABASE_URL: platform.databaseUrlOf('gateway'),
    HTTP_PORT: '0',
    NATS_PUBLIC_URL: platform.natsUrl,
    AGENT_ACCOUNT_PUBLIC_KEY: kit.agentAccountPublicKey,
    AGENT_SIGNING_SEED: kit.agentSigningSeed,
    LOG_LEVEL: 'fatal',
    ...overrides,
  });
  const log = jsonLog('gateway', config.LOG_LEVEL);
  return openService({ name: 'gateway', module: GatewayModule.with(config), config }, log);
}

async function send(url: string, method: string, options: CallOptions): Promise<Answer> {
  const { key, body, headers = {}, signal } = options;
  const isRaw = typeof body === 'string' || body instanceof Uint8Array;
  const response = await fetch(url, {
    method,
    headers: {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': body instanceof Uint8Array ? octets : 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && {
      body: isRaw ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body),
    }),
    ...(signal && { signal }),
  });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '') && text !== '';
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson ? (JSON.parse(text) as Record<string, unknown>) : {},
  };
}

const octets = 'application/octet-stream';

export const cidOf = (bytes: Uint8Array): string => cidOfSha256(createHash('sha256').update(bytes).digest());

/** Asks until the answer is as wanted; the test's own time limit ends it. */
export async function until(
  ask: () => Promise<Answer>,
  isWanted: (answer: Answer) => boolean,
): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (isWanted(answer)) return answer;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}
