import type { AggregateRef, AggregateType } from '@astro/event-sourcing/recorded';
import { Unprocessable } from './unprocessable.js';

/** The contexts that own an event stream and a command stream. */
export const contexts = ['registry', 'scheduling', 'verification', 'billing', 'chain'] as const;

/** Ids become subject tokens, where `.`, `*`, `>` and white space have meanings of their own. */
const TOKEN = /^[A-Za-z0-9_-]{1,128}$/;
const DIGIT = /[0-9]/;

export function assertToken(text: string): string {
  if (!TOKEN.test(text)) throw new Error(`${JSON.stringify(text)} cannot be part of a subject`);
  return text;
}

export const contextOf = (type: AggregateType): string => type.slice(0, type.indexOf('.'));
const streamSuffix = (context: string) => context.toUpperCase().replaceAll('-', '_');
export const eventStreamOf = (context: string): string => `EVT_${streamSuffix(context)}`;
export const commandStreamOf = (context: string): string => `CMD_${streamSuffix(context)}`;

export const eventSubject = (aggregate: AggregateRef, name: string): string =>
  `evt.${aggregate.type}.${assertToken(aggregate.id)}.${assertToken(name)}`;

/** Every event of one aggregate: what its expected sequence is counted over. */
export const eventsOf = (aggregate: AggregateRef): string =>
  `evt.${aggregate.type}.${assertToken(aggregate.id)}.>`;

export const commandSubject = (aggregate: AggregateRef, name: string): string =>
  `cmd.${aggregate.type}.${assertToken(aggregate.id)}.${assertToken(name)}`;

export const outcomeSubject = (requester: string, commandId: string): string =>
  `out.${assertToken(requester)}.${assertToken(commandId)}`;

/**
 * Commands are kept in this many partitions, so that several processes can share those of a context: all commands of
 * one aggregate are in the same. It is also the most processes of one service that can decide commands.
 */
export const commandPartitions = 8;

/** The server adds the partition to the subject as it stores a command, so that senders need not know of it. */
export const commandTransform = (context: string): { readonly src: string; readonly dest: string } => {
  const [type, id, name] = [1, 2, 3].map(token => `{{wildcard(${token})}}`);
  const partition = `{{partition(${commandPartitions},1,2)}}`;
  return { src: `cmd.${context}.*.*.*`, dest: `cmd.${context}.${type}.${id}.${name}.${partition}` };
};

/** What one partition holds; the first one also holds commands that were stored before there were partitions. */
export const partitionSubjects = (context: string, partition: number): readonly string[] => [
  `cmd.${context}.*.*.*.${partition}`,
  ...(partition === 0 ? [`cmd.${context}.*.*.*`] : []),
];

/** A command's subject as it was sent; any other subject as it is. */
export function subjectAsSent(subject: string): string {
  if (!subject.startsWith('cmd.')) return subject;
  const end = subject.lastIndexOf('.');
  // The name of a command begins with a letter.
  return DIGIT.test(subject.charAt(end + 1)) ? subject.slice(0, end) : subject;
}

/**
 * The parts of `evt.<context>.<aggregate>.<id>.<Name>`, or of the same with `cmd`, sent or stored.
 * @throws Unprocessable
 */
export function addressOf(subject: string): { readonly aggregate: AggregateRef; readonly name: string } {
  const [kind, context, aggregate, id, name, ...rest] = subjectAsSent(subject).split('.');
  if ((kind !== 'evt' && kind !== 'cmd') || !context || !aggregate || !id || !name || rest.length > 0) {
    throw new Unprocessable(`${subject} is not the subject of an event or a command`);
  }
  return { aggregate: { type: `${context}.${aggregate}`, id }, name };
}
