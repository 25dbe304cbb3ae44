import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { InvalidConfig, commonConfig, readConfig } from './config.js';

const schema = z.object({ ...commonConfig, FEE_BPS: z.coerce.number().int().min(100).max(500).default(250) });
const valid = {
  NATS_URL: 'nats://127.0.0.1:4222',
  DATABASE_URL: 'postgresql://a:b@127.0.0.1/astro',
  HTTP_PORT: '8080',
};

const linesOf = (env: NodeJS.ProcessEnv): readonly string[] => {
  try {
    readConfig(schema, env);
  } catch (error) {
    if (error instanceof InvalidConfig) return error.lines;
    throw error;
  }
  return [];
};

test('a valid environment gives typed values and defaults, whatever else is in it', () => {
  expect(readConfig(schema, { ...valid, PATH: '/bin' })).toEqual({
    ...valid,
    HTTP_PORT: 8080,
    HTTP_HOST: '127.0.0.1',
    LOG_LEVEL: 'info',
    FEE_BPS: 250,
  });
});

test('each variable that is wrong is named in one line', () => {
  const lines = linesOf({
    ...valid,
    NATS_URL: 'http://x',
    HTTP_PORT: 'eighty',
    LOG_LEVEL: 'loud',
    FEE_BPS: '9',
  });
  expect(lines.map(line => line.split(':')[0])).toEqual(['NATS_URL', 'HTTP_PORT', 'LOG_LEVEL', 'FEE_BPS']);
  for (const line of lines) expect(line).not.toContain('\n');
});

test('a variable that is missing or empty is said to be not set', () => {
  expect(linesOf({ ...valid, NATS_URL: undefined, DATABASE_URL: '' })).toEqual([
    'NATS_URL: is not set',
    'DATABASE_URL: is not set',
  ]);
});

test('a missing port is not taken for port 0', () => {
  expect(linesOf({ ...valid, HTTP_PORT: '' })).toEqual(['HTTP_PORT: is not set']);
});

test('a bad value is not repeated, because it may be a secret', () => {
  expect(linesOf({ ...valid, DATABASE_URL: 'mysql://u:hunter2@h/d' }).join()).not.toContain('hunter2');
});

test.each(['nats://a:4222', 'tls://a:4222,nats://b:4222', 'nats://127.0.0.1:1'])('%s is a bus', url =>
  expect(linesOf({ ...valid, NATS_URL: url })).toEqual([]),
);
