import { test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { TenantCommand, TenantEvent } from '@astro/messages/registry';
import { tenant } from './tenant.js';

const given = specify(tenant);
const register = (name: string): TenantCommand => ({
  type: 'RegisterTenant',
  data: { tenantId: 'tenant_1', name },
});
const registered: TenantEvent = {
  type: 'TenantRegistered',
  data: { tenantId: 'tenant_1', name: 'Aurora Labs' },
};

test('one of a new id is registered', () => given().when(register('Aurora Labs')).then(registered));
test('a repeated registration changes nothing', () =>
  given(registered).when(register('Aurora Labs')).thenNothing());
test('a registration under another name is refused', () =>
  given(registered).when(register('Borealis')).thenRejected('TenantExists'));

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
    .then({ type: 'TenantRegistered', data: { tenantId: 'tenant_1', name: '北'.repeat(80) } }));
