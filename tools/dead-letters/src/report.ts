import { payloadOf, type DeskLetter } from '@astro/jetstream/dead-letters-desk';

const MAX_LISTED_REASON_LENGTH = 100;

/** One line of the list. */
export function lineOf({ position, recordedAt, letter, settlement }: DeskLetter, now: Date): string {
  const reason = oneLine(letter.reason).slice(0, MAX_LISTED_REASON_LENGTH);
  const line = `${position}  ${ageOf(recordedAt, now)}  ${letter.consumer}  ${letter.subject}  ${reason}`;
  if (!settlement) return line;
  const { fate, actor, settledAt, why } = settlement;
  return `${line}\n    ${fate} by ${actor} at ${settledAt.toISOString()}${why && `: ${oneLine(why)}`}`;
}

/** All that is known of one letter. */
export function textOf({ position, recordedAt, letter, settlement }: DeskLetter): string {
  const { type, data } = payloadOf(letter);
  return [
    `dead letter  ${position}, since ${recordedAt.toISOString()}`,
    `consumer     ${letter.consumer}, after ${letter.deliveries} deliveries`,
    `reason       ${letter.reason}`,
    `message      ${letter.subject}, ${letter.sequence} of ${letter.stream}${recordedOf(letter)}`,
    ...(settlement ? [`settled      ${settlement.fate} by ${settlement.actor}: ${settlement.why}`] : []),
    'headers',
    ...Object.entries(letter.headers).map(([name, value]) => `  ${name}: ${value}`),
    `payload      ${type ?? 'of no known type'}, ${letter.payload.length} bytes`,
    JSON.stringify(data, plain, 2),
    ...(typeof data === 'string' ? [Buffer.from(letter.payload).toString('hex')] : []),
  ].join('\n');
}

const recordedOf = ({ recordedAt }: DeskLetter['letter']): string =>
  recordedAt === undefined ? '' : `, recorded ${recordedAt.toISOString()}`;

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ');

/** JSON knows neither base units nor bytes. */
function plain(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const;

/** `3 d`, `5 h`, `12 min` or `7 s`. */
export function ageOf(then: Date, now: Date): string {
  const ageMs = Math.max(0, now.getTime() - then.getTime());
  for (const [unit, unitMs] of units) if (ageMs >= unitMs) return `${Math.floor(ageMs / unitMs)} ${unit}`;
  return `${Math.floor(ageMs / 1_000)} s`;
}
