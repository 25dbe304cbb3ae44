import type { MaintenanceWindow } from '@astro/messages/registry';

const MINUTES_PER_DAY = 24 * 60;
const MS_PER_MINUTE = 60_000;
/** Offsets of time zones, and the hours of an offer, are whole quarters of an hour. */
const QUARTER_MINUTES = 15;
const MS_PER_QUARTER = QUARTER_MINUTES * MS_PER_MINUTE;
const MS_PER_DAY = MINUTES_PER_DAY * MS_PER_MINUTE;
/** How far ahead closed hours are told: longer than any task may run, renewed each day. */
const DAYS_AHEAD = 7;
const OPENINGS_MAX = 7;
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** From a minute of these weekdays to another, of the next day where it is not later. */
type Opening = { readonly days: readonly number[]; readonly fromMinute: number; readonly toMinute: number };

/** When a machine is offered, in the wall clock of a time zone. */
export type OfferHours = { readonly openings: readonly Opening[]; readonly timeZone: string };

/**
 * Reads `22:00-06:00`, `Mon-Fri 19:00-07:00, Sat-Sun 00:00-24:00` and the like.
 * @throws RangeError that says what is wrong
 */
export function offerHoursIn(text: string, timeZone: string): OfferHours {
  if (!isTimeZone(timeZone)) throw new RangeError(`${timeZone} is no time zone, such as Europe/Berlin`);
  const openings = text.split(',').map(openingIn);
  if (openings.length > OPENINGS_MAX) throw new RangeError(`must be at most ${OPENINGS_MAX} openings`);
  return { openings, timeZone };
}

function openingIn(text: string): Opening {
  const match = /^\s*(?:([A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))?\s+)?(\d\d:\d\d)-(\d\d:\d\d)\s*$/.exec(text);
  if (!match) throw new RangeError(`"${text.trim()}" must look like 22:00-06:00 or Mon-Fri 19:00-07:00`);
  const [, first, last = first, from = '', to = ''] = match;
  const opening = { days: daysFrom(first, last), fromMinute: minuteIn(from), toMinute: minuteIn(to) };
  if (opening.fromMinute === opening.toMinute) throw new RangeError(`"${text.trim()}" opens for no time`);
  return opening;
}

function daysFrom(first: string | undefined, last: string | undefined): readonly number[] {
  if (first === undefined || last === undefined) return WEEKDAYS.map((_, day) => day);
  const [from, to] = [WEEKDAYS.indexOf(first), WEEKDAYS.indexOf(last)];
  if (from < 0 || to < 0) throw new RangeError(`a day must be one of ${WEEKDAYS.join(', ')}`);
  const count = ((to - from + 7) % 7) + 1;
  return Array.from({ length: count }, (_, offset) => (from + offset) % 7);
}

function minuteIn(clock: string): number {
  const [hour = 0, minute = 0] = clock.split(':').map(Number);
  const minutes = hour * 60 + minute;
  if (minutes > MINUTES_PER_DAY || minute > 59 || minute % QUARTER_MINUTES !== 0)
    throw new RangeError(`${clock} must be a quarter of an hour from 00:00 to 24:00`);
  return minutes;
}

/**
 * When the machine is not offered, from the beginning of this day (UTC) on: so that it says the same all day long.
 * Every quarter of an hour is held against the wall clock, which makes changes to summer time and back come out right.
 */
export function closedWindows({ openings, timeZone }: OfferHours, now: Date): readonly MaintenanceWindow[] {
  const clock = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  });
  const startMs = Math.floor(now.getTime() / MS_PER_DAY) * MS_PER_DAY;
  const endMs = startMs + (DAYS_AHEAD + 1) * MS_PER_DAY;
  const windows: { from: Date; until: Date }[] = [];
  for (let atMs = startMs; atMs < endMs; atMs += MS_PER_QUARTER) {
    if (isOpen(openings, clock.formatToParts(atMs))) continue;
    const last = windows.at(-1);
    const until = new Date(atMs + MS_PER_QUARTER);
    if (last?.until.getTime() === atMs) last.until = until;
    else windows.push({ from: new Date(atMs), until });
  }
  return windows;
}

function isOpen(openings: readonly Opening[], parts: readonly Intl.DateTimeFormatPart[]): boolean {
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find(found => found.type === type)?.value ?? '';
  const day = WEEKDAYS.indexOf(part('weekday'));
  const minute = Number(part('hour')) * 60 + Number(part('minute'));
  const yesterday = (day + 6) % 7;
  return openings.some(({ days, fromMinute, toMinute }) =>
    fromMinute < toMinute
      ? days.includes(day) && minute >= fromMinute && minute < toMinute
      : (days.includes(day) && minute >= fromMinute) || (days.includes(yesterday) && minute < toMinute),
  );
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
