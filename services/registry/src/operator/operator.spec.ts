import { test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { OperatorCommand, OperatorEvent } from '@astro/messages/registry';
import { operator } from './operator.js';

const given = specify(operator);
const register = (name: string): OperatorCommand => ({
  type: 'RegisterOperator',
  data: { operatorId: 'operator_1', name },
});
const registered: OperatorEvent = {
  type: 'OperatorRegistered',
  data: { operatorId: 'operator_1', name: 'Aurora Labs' },
};

test('one of a new id is registered', () => given().when(register('Aurora Labs')).then(registered));
test('a repeated registration changes nothing', () =>
  given(registered).when(register('Aurora Labs')).thenNothing());
test('a registration under another name is refused', () =>
  given(registered).when(register('Borealis')).thenRejected('OperatorExists'));

test.each([
  ['nothing', ''],
  ['spaces only', '   '],
  ['a space at its end', 'Aurora '],
  ['81 characters', 'x'.repeat(81)],
  ['a line break', 'Aurora\nLabs'],
  ['an escape sequence', 'Aurora\u001b[31m'],
])('a name of %s is refused', (_title, name) => given().when(register(name)).thenRejected('NameIsInvalid'));

test('a name has 80 characters of any script', () =>
  given()
    .when(register('北'.repeat(80)))
    .then({ type: 'OperatorRegistered', data: { operatorId: 'operator_1', name: '北'.repeat(80) } }));
