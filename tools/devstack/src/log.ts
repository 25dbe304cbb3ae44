/** Takes every line the platform and its processes say; `source` names who said it. */
export type LogSink = (source: string, line: string) => void;

const sourceWidth = 13;
/** Levels that need no mention. */
const quietLevels: readonly unknown[] = ['trace', 'debug', 'info'];
/** Said by the prefix or by the terminal's own clock. */
const leftOut = new Set(['level', 'time', 'name', 'service', 'message']);

/** Prefixes each line with its source; a JSON line of a service is shortened to what a person reads. */
export const consoleSink: LogSink = (source, line) => {
  process.stdout.write(`${source.padEnd(sourceWidth)}| ${forPeople(line)}\n`);
};

/** The message of a service's log line, with its level when that is a warning or worse; other text as it is. */
export function forPeople(line: string): string {
  const entry = line.startsWith('{') ? parsed(line) : undefined;
  if (typeof entry?.['message'] !== 'string') return line;
  const level = quietLevels.includes(entry['level']) ? '' : `${String(entry['level']).toUpperCase()} `;
  const fields = Object.entries(entry).filter(([key]) => !leftOut.has(key));
  const rest = fields.map(
    ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${level}${entry['message']}${rest.join('')}`;
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
