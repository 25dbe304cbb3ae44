import type { Message } from '@astro/event-sourcing/decider';
import type { Metadata } from '@astro/event-sourcing/recorded';
import { CodecError, decode, encode, typeNameOf } from '@astro/messages/codec';
import type { Outcome } from '@astro/messages/runtime';
import type { AggregateStore } from './aggregate-store.js';
import type { Bus } from './bus.js';
import { OUTCOME_TYPE } from './command-bus.js';
import type { Delivered } from './delivered.js';
import type { DurableLaneOptions } from './durable-lane.js';
import { envelopeLines, metadataOf, writtenHeaders } from './headers.js';
import type { Unit } from './holding.js';
import { Lane, Unprocessable } from './lane.js';
import type { Log } from './log.js';
import {
  addressOf,
  commandPartitions,
  commandStreamOf,
  outcomeSubject,
  partitionSubjects,
} from './subjects.js';

/** While one batch of events is written, the commands of the next ones are decided. */
const MAX_IN_FLIGHT = 1_024;
/** Of each partition; a process rarely has less than two of them. */
const MAX_IN_FLIGHT_OF_PARTITION = 256;

/** An aggregate store whose types were forgotten, for tables that hold several. */
export type AnyAggregateStore = Pick<AggregateStore<unknown, Message, Message>, 'execute'>;

export type CommandLaneOptions = {
  readonly context: string;
  /** By the aggregate's name without its context, for example `job`. */
  readonly aggregates: Readonly<Record<string, AnyAggregateStore>>;
  readonly log: Log;
  /** A part of the context's commands, for one of several processes that share them: all unless told. */
  readonly part?: CommandPart;
};

export type CommandPart = Pick<DurableLaneOptions, 'durable' | 'filterSubjects' | 'maxInFlight' | 'fence'>;

/** Decides every command of a context: one aggregate's in order, different aggregates' side by side. */
export function commandLane(bus: Bus, { context, aggregates, log, part }: CommandLaneOptions): Lane {
  const handle = async (message: Delivered) => {
    const id = message.headers['ce-id'];
    if (!id) throw new Unprocessable('the command has no ce-id');
    const outcome = await decide(message, id, aggregates);
    answer(bus, message, outcome);
  };
  return new Lane(
    bus,
    {
      stream: commandStreamOf(context),
      durable: `${context}_commands`,
      filterSubjects: [`cmd.${context}.>`],
      maxInFlight: MAX_IN_FLIGHT,
      ...part,
      // The aggregate store keeps the order of each aggregate, and decides together what waits for one.
      keyOf: message => String(message.position),
      handle,
    },
    log,
  );
}

/** The commands of a context, one unit for each of their partitions. */
export const commandUnits = (bus: Bus, options: Omit<CommandLaneOptions, 'part'>): readonly Unit[] =>
  Array.from({ length: commandPartitions }, (_, partition) => ({
    name: `commands-${partition}`,
    open: fence => {
      const durable = `${options.context}_commands_${partition}`;
      const filterSubjects = partitionSubjects(options.context, partition);
      const part = { durable, filterSubjects, maxInFlight: MAX_IN_FLIGHT_OF_PARTITION, fence };
      return commandLane(bus, { ...options, part });
    },
  }));

async function decide(
  message: Delivered,
  commandId: string,
  aggregates: CommandLaneOptions['aggregates'],
): Promise<Outcome> {
  const { aggregate, name } = addressOf(message.subject);
  const store = aggregates[aggregate.type.slice(aggregate.type.indexOf('.') + 1)];
  if (!store) throw new Unprocessable(`nothing here decides for ${aggregate.type}`);
  const metadata: Metadata = metadataOf(message.headers);
  const data = decode(typeNameOf('command', aggregate.type, name), message.data);
  try {
    return await store.execute(aggregate.id, { type: name, data }, { commandId, metadata });
  } catch (error) {
    // The command was fine: an event that does not fit its schema is a fault of the decider.
    if (error instanceof CodecError)
      throw new Error(`${name} led to an event that cannot be written`, { cause: error });
    throw error;
  }
}

/**
 * Not awaited: an outcome is a courtesy, kept in memory for two minutes; the event is the record. No more of them
 * wait in this process than messages are in flight, because each goes before the acknowledgement of its command.
 */
function answer(bus: Bus, message: Delivered, outcome: Outcome): void {
  const requester = message.headers['astro-requester'];
  if (!requester) return;
  const { aggregate } = addressOf(message.subject);
  const lines = envelopeLines({
    id: `out-${outcome.commandId}-${message.deliveries}`,
    typeName: OUTCOME_TYPE,
    source: aggregate.type.slice(0, aggregate.type.indexOf('.')),
    subject: outcome.commandId,
  });
  const subject = outcomeSubject(requester, outcome.commandId);
  bus.connection.publish(subject, encode(OUTCOME_TYPE, outcome), { headers: writtenHeaders(lines) });
}
