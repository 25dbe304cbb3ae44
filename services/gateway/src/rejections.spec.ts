import type { Outcome } from '@astro/jetstream/command-bus';
import { expect, test } from '@jest/globals';
import { assertAccepted } from './rejections.js';

const outcome: Outcome = {
  commandId: 'c',
  accepted: true,
  rejection: '',
  detail: '',
  position: 7,
  changed: true,
};
const refused = (rejection: string, detail = '') => ({ ...outcome, accepted: false, rejection, detail });

test('an accepted command is no problem', () => expect(() => assertAccepted(outcome)).not.toThrow());

const rows: readonly [rejection: string, detail: string, problem: object][] = [
  ['JobNotFound', '', { status: 404, code: 'job_not_found' }],
  ['JobHasEnded', '', { status: 409, code: 'job_has_ended' }],
  ['SomethingNew', 'x', { status: 422, code: 'command_refused', message: 'SomethingNew: x' }],
  [
    'InventoryIsInvalid',
    'offer.inventory.devices[0].memoryMib: must be from 1 to 5',
    { status: 400, errors: [{ field: 'offer.inventory.devices[0].memoryMib', rule: 'must be from 1 to 5' }] },
  ],
  ['JobIsInvalid', 'spec.tasks[3].inputs: name must be unique', { errors: [{ field: 'tasks[3].inputs' }] }],
];
test.each(rows)('%s is a problem of its own', (rejection, detail, problem) => {
  try {
    assertAccepted(refused(rejection, detail));
  } catch (error) {
    expect(error).toMatchObject(problem);
    return;
  }
  throw new Error('it was taken');
});
