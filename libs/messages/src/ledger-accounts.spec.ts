import { expect, test } from '@jest/globals';
import {
  changeOf,
  escrowCustody,
  ledgerAccountIn,
  operatorAccount,
  parseLedgerAccount,
  platformBurned,
  platformFees,
  tenantAccount,
  tenantPrefix,
} from './ledger-accounts.js';

test.each([
  [tenantAccount('tenant_1', 'available'), { owner: 'tenant', id: 'tenant_1', kind: 'available' }],
  [tenantAccount('tenant_1', 'incoming'), { owner: 'tenant', id: 'tenant_1', kind: 'incoming' }],
  [operatorAccount('operator_1', 'settling'), { owner: 'operator', id: 'operator_1', kind: 'settling' }],
  ['validator:v:claimable', { owner: 'validator', id: 'v', kind: 'claimable' }],
  [escrowCustody, { owner: 'escrow', kind: 'custody' }],
  [platformFees, { owner: 'platform', kind: 'fees' }],
  [platformBurned, { owner: 'platform', kind: 'burned' }],
  ['platform:validators', { owner: 'platform', kind: 'validators' }],
  ['rewards', { owner: 'rewards' }],
  ['treasury', { owner: 'treasury' }],
])('the name %s is read as it was made', (name, account) => {
  expect(parseLedgerAccount(name)).toEqual(account);
});

test.each([
  '',
  'tenant',
  'tenant:t',
  'tenant::available',
  'tenant:t:earned',
  'tenant:t:available:more',
  'operator:o:available',
  'nobody:n:available',
  'platform:funding',
  'platform:custody',
  'escrow:fees',
  'rewards:',
])('%j is no account of the ledger', name => {
  expect(ledgerAccountIn(name)).toBeUndefined();
  expect(() => parseLedgerAccount(name)).toThrow(`the ledger has no account "${name}"`);
});

test.each(['', 'a:b'])('the id %j makes no name', id => {
  expect(() => tenantAccount(id, 'available')).toThrow(RangeError);
  expect(() => operatorAccount(id, 'earned')).toThrow(RangeError);
  expect(() => tenantPrefix(id)).toThrow(RangeError);
});

test('the change of an account is the sum of its own postings', () => {
  const postings = [
    { account: 'treasury', amountAtto: 7n },
    { account: 'rewards', amountAtto: -9n },
    { account: 'treasury', amountAtto: 2n },
  ];
  expect(changeOf('treasury', postings)).toBe(9n);
  expect(changeOf('nothing', postings)).toBe(0n);
});
