import { expect, test } from '@jest/globals';
import { decode, encode, typeNameOf } from './codec.js';

test('credit that was recorded as coming from the platform’s funding comes from custody', () => {
  const typeName = typeNameOf('event', 'billing.account', 'AccountCredited');
  const creditFrom = (account: string) => ({
    tenantId: 'tenant_1',
    creditId: 'credit_1',
    postings: [
      { account, amountAtto: -7n },
      { account: 'tenant:tenant_1:available', amountAtto: 7n },
    ],
  });
  const read = (account: string) => decode(typeName, encode(typeName, creditFrom(account)));
  expect(read('platform:funding')).toEqual(creditFrom('escrow:custody'));
  expect(read('escrow:custody')).toEqual(creditFrom('escrow:custody'));
});
