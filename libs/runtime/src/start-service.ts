import { HandlerErrorFilter } from '@astro/jetstream/server';
import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { CustomTransportStrategy, NestMicroservice } from '@nestjs/microservices';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { CommonConfig } from './config.js';
import { JsonLogger, jsonLog } from './logging.js';
import { RuntimeModule } from './runtime.module.js';
import { Transports } from './transports.js';

export type ServiceOptions = {
  readonly name: string;
  readonly module: Type | DynamicModule;
  readonly config: Pick<CommonConfig, 'HTTP_HOST' | 'HTTP_PORT' | 'LOG_LEVEL'>;
  /** A larger request body is answered with 413. */
  readonly bodyLimitBytes?: number;
  /** Called before anything is started: filters, hooks and routes that only this service needs. */
  configure?(app: NestFastifyApplication): void | Promise<void>;
};

export type Service = {
  readonly app: NestFastifyApplication;
  /** Where it listens. */
  readonly url: string;
  /** Drains and closes. */
  stop(): Promise<void>;
};

const defaultBodyLimitBytes = 1_048_576;
/** A supervisor kills what has not ended by then, so the service ends by itself and says so. */
const shutdownLimitMs = 10_000;

/** For `main.ts`: runs the service until SIGTERM or SIGINT. A failure to start is one line and exit code 1. */
export async function startService(options: ServiceOptions): Promise<void> {
  const log = jsonLog(options.name, options.config.LOG_LEVEL);
  const fail = (error: unknown) => {
    log.fatal({ error }, error instanceof Error ? error.message : String(error));
    process.exit(1);
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  try {
    const service = await openService(options, log);
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => void shutDown(service, signal, log).catch(fail));
    }
    log.info({ url: service.url }, 'ready');
  } catch (error) {
    fail(error);
  }
}

/** The service in this process, without its signal handlers. @throws Error when a part cannot start */
export async function openService(options: ServiceOptions, log: Logger): Promise<Service> {
  const { module, config, bodyLimitBytes = defaultBodyLimitBytes } = options;
  const adapter = new FastifyAdapter({ bodyLimit: bodyLimitBytes, forceCloseConnections: 'idle' });
  closeUnusedConnections(adapter.getInstance());
  const app = await NestFactory.create<NestFastifyApplication>(ServiceModule.around(module), adapter, {
    logger: new JsonLogger(log),
    abortOnError: false,
  });
  try {
    await options.configure?.(app);
    for (const strategy of app.get(Transports).all) connectTransport(app, strategy);
    await app.init();
    await app.startAllMicroservices();
    await app.listen(config.HTTP_PORT, config.HTTP_HOST);
    return { app, url: await app.getUrl(), stop: () => app.close() };
  } catch (error) {
    await app.close();
    throw error;
  }
}

/**
 * Clients open connections ahead of their requests. Closing the server ends idle connections, but not those
 * that never carried a request: it would wait for them until they time out.
 */
function closeUnusedConnections(fastify: FastifyInstance): void {
  const unused = new Set<Socket>();
  fastify.server.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  fastify.server.on('request', request => unused.delete(request.socket));
  fastify.addHook('preClose', async () => unused.forEach(socket => socket.destroy()));
}

/**
 * Nest gives the handlers their filters when they are registered, and registers them while it connects a transport:
 * a filter that is added afterwards filters nothing. So registration is put off until the filter is there.
 */
function connectTransport(app: NestFastifyApplication, strategy: CustomTransportStrategy): void {
  const transport = app.connectMicroservice({ strategy }, { deferInitialization: true }) as NestMicroservice;
  transport.useGlobalFilters(new HandlerErrorFilter());
  transport.registerListeners();
  transport.setIsInitialized(true);
  transport.setIsInitHookCalled(true);
}

async function shutDown(service: Service, signal: string, log: Logger): Promise<void> {
  log.info({ signal }, 'stopping');
  setTimeout(() => {
    log.error(`not drained in ${shutdownLimitMs} ms`);
    process.exit(1);
  }, shutdownLimitMs).unref();
  await service.stop();
  log.info('stopped');
  process.exit(0);
}

@Module({})
class ServiceModule {
  static around(module: Type | DynamicModule): DynamicModule {
    return { module: ServiceModule, imports: [RuntimeModule, module] };
  }
}
