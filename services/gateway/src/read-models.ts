import { breaker } from '@astro/runtime/breaker';
import { readPosition } from '@astro/postgres/checkpoints';
import { MikroORM, type EntityManager } from '@mikro-orm/postgresql';
import { Injectable, Logger } from '@nestjs/common';
import { Problem } from './http/problem.js';
import { PositionWatch } from './position-watch.js';

const QUERY_TIMEOUT_MS = 5_000;
/** How long a request waits to read its own write; the answer is then composed from what is there. */
const OWN_WRITE_TIMEOUT_MS = 1_000;

type Query = (em: EntityManager) => Promise<unknown>;

/** What other services have projected. Reads only: the role of this service may do nothing else. */
@Injectable()
export class ReadModels {
  private readonly logger = new Logger('read-models');
  private readonly breaker = breaker('read-models', (query: Query) => query(this.orm.em.fork()), {
    timeout: QUERY_TIMEOUT_MS,
  });

  private readonly positions = new PositionWatch(name => this.query(em => readPosition(em, name)));

  constructor(private readonly orm: MikroORM) {}

  /** @throws Problem `reads_unavailable` when the database does not answer, or has not for a while */
  async query<T>(read: (em: EntityManager) => Promise<T>): Promise<T> {
    try {
      return (await this.breaker.fire(read)) as T;
    } catch (cause) {
      this.logger.warn(`a read failed: ${String(cause)}`);
      throw new Problem('reads_unavailable', { headers: { 'retry-after': '5' } });
    }
  }

  /** Whether the projection has come as far as `position` within a second. */
  includes(projectionName: string, position: number): Promise<boolean> {
    return this.positions.includes(projectionName, position, OWN_WRITE_TIMEOUT_MS);
  }
}
