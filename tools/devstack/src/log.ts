/** Takes every line the platform and its processes say; `source` names who said it. */
export type LogSink = (source: string, line: string) => void;

const levelNames: Readonly<Record<number, string>> = { 40: 'WARN  ', 50: 'ERROR ', 60: 'FATAL ' };
const sourceWidth = 13;

/** Prefixes each line with its source; a JSON line of a service is shortened to what a person reads. */
export const consoleSink: LogSink = (source, line) => {
  process.stdout.write(`${source.padEnd(sourceWidth)}| ${forPeople(line)}\n`);
};

/** The message of a pino line, with its level when that is a warning or worse; other text as it is. */
export function forPeople(line: string): string {
  if (!line.startsWith('{')) return line;
  try {
    const entry = JSON.parse(line) as {
      level?: number;
      msg?: string;
      err?: { stack?: string; message?: string };
    };
    if (entry.msg === undefined) return line;
    const cause = entry.err ? ` (${entry.err.stack ?? entry.err.message})` : '';
    return `${levelNames[entry.level ?? 0] ?? ''}${entry.msg}${cause}`;
  } catch (error) {
    if (error instanceof SyntaxError) return line;
    throw error;
  }
}
