import { isIP } from 'node:net';
import { readConfig } from '@astro/runtime/config';
import { z } from 'zod';

/** Where a NATS server listens, beside the port of its own. */
export type NatsListeners = {
  /** Address that it listens at; the loopback address unless told. */
  readonly host?: string;
  /** With them nobody gets in without TLS. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /** Takes WebSockets there too: `wss` with a certificate, else `ws`. */
  readonly websocketPort?: number;
};

export const LOOPBACK = '127.0.0.1';

const listenersConfig = z.object({
  ASTRO_NATS_HOST: z
    .string()
    .refine(text => isIP(text) === 4, 'must be an IPv4 address')
    .optional(),
  ASTRO_NATS_TLS_CERT: z.string().min(1).optional(),
  ASTRO_NATS_TLS_KEY: z.string().min(1).optional(),
  ASTRO_NATS_WEBSOCKET_PORT: z.coerce.number().int().min(1).max(65_535).optional(),
  ASTRO_NATS_PUBLIC_HOST: z.string().min(1).optional(),
});

/**
 * What the environment says of it: loopback and plain text when it says nothing.
 * @throws InvalidConfig; an Error when anybody could listen to what goes over a network
 */
export function natsListenersIn(env: NodeJS.ProcessEnv): NatsListeners & { readonly publicHost?: string } {
  const config = readConfig(listenersConfig, env);
  const { ASTRO_NATS_TLS_CERT: certFile, ASTRO_NATS_TLS_KEY: keyFile, ASTRO_NATS_HOST: host } = config;
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new Error('ASTRO_NATS_TLS_CERT and ASTRO_NATS_TLS_KEY belong together');
  if (host !== undefined && host !== LOOPBACK && certFile === undefined)
    throw new Error(`ASTRO_NATS_HOST ${host} needs ASTRO_NATS_TLS_CERT: what is sent there can be overheard`);
  return {
    ...(host !== undefined && { host }),
    ...(certFile !== undefined && keyFile !== undefined && { tls: { certFile, keyFile } }),
    ...(config.ASTRO_NATS_WEBSOCKET_PORT && { websocketPort: config.ASTRO_NATS_WEBSOCKET_PORT }),
    ...(config.ASTRO_NATS_PUBLIC_HOST && { publicHost: config.ASTRO_NATS_PUBLIC_HOST }),
  };
}

/** Part of a server's configuration. */
export function listenersConfiguration(
  port: number,
  { host = LOOPBACK, tls, websocketPort }: NatsListeners,
): readonly string[] {
  const certificate = tls && [
    'tls {',
    `  cert_file: ${JSON.stringify(tls.certFile)}`,
    `  key_file: ${JSON.stringify(tls.keyFile)}`,
    '}',
  ];
  const security = certificate ?? ['no_tls: true'];
  return [
    `listen: "${host}:${port}"`,
    ...(certificate ?? []),
    ...(websocketPort === undefined
      ? []
      : ['websocket {', `  listen: "${host}:${websocketPort}"`, ...security.map(line => `  ${line}`), '}']),
  ];
}

/** Where clients reach it, over each transport. */
export function urlsOf(
  port: number,
  { tls, websocketPort }: NatsListeners,
  host = LOOPBACK,
): readonly string[] {
  const urls = [`${tls ? 'tls' : 'nats'}://${host}:${port}`];
  return websocketPort === undefined ? urls : [...urls, `${tls ? 'wss' : 'ws'}://${host}:${websocketPort}`];
}
