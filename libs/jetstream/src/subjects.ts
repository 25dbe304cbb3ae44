import type { AggregateRef, AggregateType } from '@astro/event-sourcing/recorded';
import { Unprocessable } from './unprocessable.js';

/** The contexts that own an event stream and a command stream. */
export const contexts = ['registry', 'scheduling', 'verification', 'billing'] as const;

/** Ids become subject tokens, where `.`, `*`, `>` and white space have meanings of their own. */
const TOKEN = /^[A-Za-z0-9_-]{1,128}$/;

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

/** The parts of `evt.<context>.<aggregate>.<id>.<Name>`, or of the same with `cmd`. @throws Unprocessable */
export function addressOf(subject: string): { readonly aggregate: AggregateRef; readonly name: string } {
  const [kind, context, aggregate, id, name, ...rest] = subject.split('.');
  if ((kind !== 'evt' && kind !== 'cmd') || !context || !aggregate || !id || !name || rest.length > 0) {
    throw new Unprocessable(`${subject} is not the subject of an event or a command`);
  }
  return { aggregate: { type: `${context}.${aggregate}`, id }, name };
}
