import { expect, test } from '@jest/globals';
import { JsonLogger, jsonLog, type LogLevel } from './logging.js';

type Entry = Readonly<Record<string, unknown>>;

function logger(level: LogLevel = 'info'): { log: JsonLogger; entries: Entry[] } {
  const entries: Entry[] = [];
  const write = (line: string) => void entries.push(JSON.parse(line) as Entry);
  return { log: new JsonLogger(jsonLog('billing', level, { write })), entries };
}

test('an entry is one JSON object with service, component, level and time', () => {
  const { log, entries } = logger();
  log.log('charged', { taskId: 'task_1' }, 'ledger');
  expect(entries).toMatchObject([
    { level: 'info', service: 'billing', component: 'ledger', message: 'charged', taskId: 'task_1' },
  ]);
  expect(new Date(entries[0]!.time as string).getTime()).not.toBeNaN();
});

test('an error keeps its message, its stack and its cause', () => {
  const { log, entries } = logger();
  log.error(new Error('no charge', { cause: new Error('no network') }), 'ledger');
  expect(entries[0]).toMatchObject({ level: 'error', message: 'no charge', error: { type: 'Error' } });
  expect((entries[0]!.error as Entry).stack).toContain('no network');
});

test('entries below the level are not written', () => {
  const { log, entries } = logger('warn');
  log.log('quiet');
  log.debug('quieter');
  log.warn('loud');
  expect(entries.map(({ message }) => message)).toEqual(['loud']);
});

test('secrets are not written', () => {
  const { log, entries } = logger();
  log.log('asked', {
    headers: { authorization: 'Bearer hunter2' },
    password: 'hunter2',
    config: { seed: 'hunter2' },
  });
  expect(entries).toHaveLength(1);
  expect(JSON.stringify(entries)).not.toContain('hunter2');
});
