import { Logger as NestLogger, type LoggerService } from '@nestjs/common';
import type { Log, LogFields } from '@astro/jetstream/log';
import { pino, type DestinationStream, type Logger } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Where a secret could stand in what is logged as an object. */
const secretPaths = ['authorization', 'password', 'credentials', 'apiKey', 'seed', 'jwt'].flatMap(key => [
  key,
  `*.${key}`,
  `*.*.${key}`,
]);

/** One JSON object per line on standard output, with the name of the service. */
export const jsonLog = (service: string, level: LogLevel, destination?: DestinationStream): Logger =>
  pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      redact: { paths: secretPaths, censor: '[redacted]' },
      errorKey: 'error',
      messageKey: 'message',
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );

/** What Nest and the libraries log through; Nest gives the name of the component as the last argument. */
export class JsonLogger implements LoggerService {
  constructor(readonly pino: Logger) {}

  log(message: unknown, ...rest: readonly unknown[]): void {
    this.#write('info', message, rest);
  }

  error(message: unknown, ...rest: readonly unknown[]): void {
    this.#write('error', message, rest);
  }

  warn(message: unknown, ...rest: readonly unknown[]): void {
    this.#write('warn', message, rest);
  }

  debug(message: unknown, ...rest: readonly unknown[]): void {
    this.#write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: readonly unknown[]): void {
    this.#write('trace', message, rest);
  }

  fatal(message: unknown, ...rest: readonly unknown[]): void {
    this.#write('fatal', message, rest);
  }

  #write(level: Exclude<LogLevel, 'silent'>, message: unknown, rest: readonly unknown[]): void {
    const component = typeof rest.at(-1) === 'string' ? rest.at(-1) : undefined;
    const details = component === undefined ? rest : rest.slice(0, -1);
    const fields: Record<string, unknown> = component === undefined ? {} : { component };
    for (const detail of details) {
      if (detail instanceof Error) fields.error = detail;
      else if (typeof detail === 'object' && detail !== null) Object.assign(fields, detail);
      else if (detail !== undefined) fields.stack = detail; // Nest gives the stack of an error as text
    }
    if (message instanceof Error) this.pino[level]({ ...fields, error: message }, message.message);
    else if (typeof message === 'object' && message !== null) this.pino[level]({ ...fields, ...message });
    else this.pino[level](fields, String(message));
  }
}

/** A log of one component, through whatever logger the service was started with. */
export function logFor(component: string): Log {
  const logger = new NestLogger(component);
  return {
    info: (message, fields) => logger.log(message, ...detailsOf(fields)),
    warn: (message, fields) => logger.warn(message, ...detailsOf(fields)),
    error: (message, fields) => logger.error(message, ...detailsOf(fields)),
  };
}

const detailsOf = (fields: LogFields | undefined): LogFields[] => (fields === undefined ? [] : [fields]);
