import { describe, expect, test } from '@jest/globals';
import { derivedId, newId } from '@astro/event-sourcing/ids';
import { attoFromAstro } from './amount.js';
import { readRequest, UsageError } from './request.js';

describe('amounts of ASTRO', () => {
  test.each([
    ['1', 10n ** 18n],
    ['12.5', 125n * 10n ** 17n],
    ['0.000000000000000001', 1n],
    ['10000000000', 10n ** 28n],
  ])('%s is %s base units', (text, atto) => expect(attoFromAstro(text)).toBe(atto));

  test.each([
    '',
    '0',
    '0.0',
    '-1',
    '+1',
    '1e3',
    '1.',
    '.5',
    '1,5',
    '1.0000000000000000001',
    '123456789012',
    ' 1',
  ])('"%s" is no amount', text => expect(attoFromAstro(text)).toBeUndefined());
});

describe('the command line', () => {
  const tenantId = newId('tenant');
  const nodeId = newId('node');
  const digest = 'e'.repeat(64);

  test('names a tenant or an operator to register', () => {
    expect(readRequest(['tenant', 'Ada Ltd'])).toEqual({ kind: 'tenant', name: 'Ada Ltd' });
    expect(readRequest(['operator', 'Aurora'])).toEqual({ kind: 'operator', name: 'Aurora' });
  });

  test('names a fault and what is held of its accusation', () => {
    const faultId = derivedId('fault', 'refuted_result', 'lease_1');
    const decided = { kind: 'decide-case', faultId, reason: 'a fault of ours' };
    expect(readRequest(['decide-case', faultId, 'wrong', 'a fault of ours'])).toEqual({
      ...decided,
      isRight: false,
    });
    expect(readRequest(['decide-case', faultId, 'right', 'a fault of ours'])).toEqual({
      ...decided,
      isRight: true,
    });
    expect(() => readRequest(['decide-case', faultId, 'maybe', 'why'])).toThrow('"maybe"');
    expect(() => readRequest(['decide-case', 'case_1', 'right', 'why'])).toThrow('"case_1"');
    expect(() => readRequest(['decide-case', faultId, 'right'])).toThrow('The reason is missing');
  });

  test('names a node to revoke or to reinstate', () => {
    expect(readRequest(['revoke-node', nodeId, 'it lies'])).toEqual({
      kind: 'revoke-node',
      nodeId,
      reason: 'it lies',
    });
    expect(readRequest(['reinstate-node', nodeId])).toEqual({ kind: 'reinstate-node', nodeId });
    expect(() => readRequest(['revoke-node', nodeId])).toThrow('The reason is missing');
    expect(() => readRequest(['reinstate-node', nodeId, 'it', 'lies'])).toThrow(UsageError);
  });

  test('names a tenant and an amount to credit', () =>
    expect(readRequest(['credit', tenantId, '2'])).toEqual({
      kind: 'credit',
      tenantId,
      amountAtto: 2n * 10n ** 18n,
    }));

  test('names a node whose evidence was verified, or counts no more', () => {
    expect(readRequest(['attest', nodeId, 'sev_snp', digest, '24'])).toEqual({
      kind: 'attest',
      nodeId,
      attestation: 'sev_snp',
      evidenceDigest: digest,
      hours: 24,
    });
    expect(readRequest(['revoke-attestation', nodeId, 'a flaw was found'])).toEqual({
      kind: 'revoke-attestation',
      nodeId,
      reason: 'a flaw was found',
    });
  });

  test.each<[string, string[]]>([
    ['is not the id of a node', ['attest', tenantId, 'tdx', digest, '24']],
    ['is not one of tpm, tdx', ['attest', nodeId, 'oath', digest, '24']],
    ['is not a SHA-256', ['attest', nodeId, 'tdx', 'abc', '24']],
    ['is not a whole number of hours', ['attest', nodeId, 'tdx', digest, '0']],
    ['is not a whole number of hours', ['attest', nodeId, 'tdx', digest]],
    ['What does now mean?', ['attest', nodeId, 'tdx', digest, '1', 'now']],
    ['The reason is missing', ['revoke-attestation', nodeId]],
    ['must be quoted: "a flaw"', ['revoke-attestation', nodeId, 'a', 'flaw']],
    ['A command is missing', []],
    ['There is no command refund', ['refund']],
    ['The name of the tenant is missing', ['tenant']],
    ['The name of the operator is missing', ['operator', ' ']],
    ['must be quoted: "Ada Ltd"', ['tenant', 'Ada', 'Ltd']],
    ['is not the id of a tenant', ['credit', newId('operator'), '1']],
    ['is not an amount of ASTRO', ['credit', tenantId, 'much']],
    ['is not an amount of ASTRO', ['credit', tenantId]],
    ['What does now mean?', ['credit', tenantId, '1', 'now']],
  ])('%s', (problem, args) => {
    expect(() => readRequest(args)).toThrow(UsageError);
    expect(() => readRequest(args)).toThrow(problem);
    expect(() => readRequest(args)).toThrow('Usage:');
  });
});
