import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import type { Bus } from '@astro/jetstream/bus';
import { crashPoint } from '@astro/jetstream/crash-point';
import { consumerNameOf, Lane, recordedFrom } from '@astro/jetstream/lane';
import type { Log } from '@astro/jetstream/log';
import { contextOf, eventStreamOf } from '@astro/jetstream/subjects';
import { ProjectionRunner } from '@astro/postgres/projection-runner';

/** Events of one transaction: enough to spare round trips, few enough to be done well within any time-out. */
const maxBatch = 256;

/** Keeps one read model up to date. Its checkpoint in PostgreSQL says where it goes on. */
export function projectionLane(
  bus: Bus,
  orm: MikroORM,
  projection: Projection<Message, EntityManager>,
  log: Log,
): Lane {
  const runner = new ProjectionRunner(orm, projection);
  return new Lane(
    bus,
    {
      stream: eventStreamOf(contextOf(projection.reads[0])),
      durable: consumerNameOf(`${projection.name}_projection`),
      filterSubjects: projection.reads.map(type => `evt.${type}.>`),
      startAfter: () => runner.position(),
      handleBatch: async messages => {
        await runner.apply(messages.map(recordedFrom));
        crashPoint('after-commit');
      },
      maxInFlight: maxBatch,
    },
    log,
  );
}
