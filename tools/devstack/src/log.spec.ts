import { expect, test } from '@jest/globals';
import { forPeople } from './log.js';

const line = (entry: object) =>
  JSON.stringify({ time: '2030-01-01T00:00:00Z', service: 'billing', ...entry });

test('a service line is its message and its fields', () =>
  expect(forPeople(line({ level: 'info', message: 'ready', url: 'http://a', checks: { nats: 'up' } }))).toBe(
    'ready url=http://a checks={"nats":"up"}',
  ));

test('a warning or worse says so', () =>
  expect(forPeople(line({ level: 'error', message: 'lost the bus' }))).toBe('ERROR lost the bus'));

test.each(['configuration: POOL_ID: is not set', '{ not json', '{"no":"message"}'])(
  '%s stays as it is',
  text => expect(forPeople(text)).toBe(text),
);
