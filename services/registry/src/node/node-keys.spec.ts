import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import { agentKeyPair } from '@astro/jetstream/credentials';
import { signNodeKey } from '@astro/messages/node-key-statement';
import type { NodeCommand, NodeEvent, Offer } from '@astro/messages/registry';
import { plainDevice, plainInventory, plainOffer } from '@astro/messages/unconstrained';
import fc from 'fast-check';
import { node } from './node.fixture.js';

const given = specify(node);
const keyOf = (byte: number) => {
  const seed32 = new Uint8Array(32).fill(byte);
  return { seed32, publicKey: agentKeyPair(seed32).publicKey };
};
const [first, second, third] = [keyOf(1), keyOf(2), keyOf(3)] as const;
type Key = typeof first;

const nodeId = 'node_1';
const at = new Date('2026-01-01T00:00:00Z');
const offer: Offer = {
  nodeId,
  operatorId: 'operator_1',
  region: 'de-fra',
  inventory: {
    devices: [{ kind: 'cpu', vendor: 'AMD', model: 'EPYC', memoryMib: 1_024, ...plainDevice }],
    cpuMillis: 4_000,
    memoryMib: 1_024,
    diskMib: 1_000,
    operatingSystem: 'linux',
    architecture: 'x64',
    runtimes: ['wasm'],
    ...plainInventory,
  },
  pricePerSecondAtto: 10n ** 12n,
  ...plainOffer,
};
const enrolled: NodeEvent = { type: 'NodeEnrolled', data: { offer, publicKey: first.publicKey } };
const cameOnline: NodeEvent = { type: 'NodeCameOnline', data: { offer } };
const wentOffline: NodeEvent = { type: 'NodeWentOffline', data: { nodeId, lastSeenAt: at } };
const reinstated: NodeEvent = { type: 'NodeReinstated', data: { nodeId } };
const replaced = (from: Key, to: Key, operatorId?: string): NodeEvent => ({
  type: 'NodeKeyReplaced',
  data: {
    nodeId,
    previousPublicKey: from.publicKey,
    publicKey: to.publicKey,
    ...(operatorId !== undefined && { operatorId }),
  },
});
const revoked = (key: Key, operatorId?: string): NodeEvent => ({
  type: 'NodeRevoked',
  data: {
    ...{ nodeId, publicKey: key.publicKey, reason: 'stolen' },
    ...(operatorId !== undefined && { operatorId }),
  },
});

const signature = (to: Key, by: Key, of = nodeId) =>
  signNodeKey({ nodeId: of, publicKey: to.publicKey }, by.seed32);
const rotate = (from: Key, to: Key, changes: object = {}): NodeCommand => ({
  type: 'RotateNodeKey',
  data: {
    ...{ nodeId, publicKey: to.publicKey },
    signatureByCurrent: signature(to, from),
    signatureByNew: signature(to, to),
    ...changes,
  },
});
const recover = (to: Key, operatorId = 'operator_1', changes: object = {}): NodeCommand => ({
  type: 'RecoverNodeKey',
  data: { nodeId, operatorId, publicKey: to.publicKey, signatureByNew: signature(to, to), ...changes },
});
const revoke = (operatorId?: string, reason = 'stolen'): NodeCommand => ({
  type: 'RevokeNode',
  data: { nodeId, reason, at, ...(operatorId !== undefined && { operatorId }) },
});
const reinstate: NodeCommand = { type: 'ReinstateNode', data: { nodeId } };
const markOnline: NodeCommand = { type: 'MarkNodeOnline', data: { nodeId } };
const enrol = (key: Key): NodeCommand => ({ type: 'EnrolNode', data: { offer, publicKey: key.publicKey } });

describe('rotation', () => {
  test('replaces the key of a node by the word of both', () =>
    given(enrolled).when(rotate(first, second)).then(replaced(first, second)));
  test('leaves a node online, and with what it offers', () => {
    given(enrolled, cameOnline).when(rotate(first, second)).then(replaced(first, second));
    given(enrolled, cameOnline, replaced(first, second)).when(enrol(second)).thenNothing();
  });
  test('repeated changes nothing', () =>
    given(enrolled, replaced(first, second)).when(rotate(first, second)).thenNothing());
  test('by the key that was replaced is refused', () =>
    given(enrolled, replaced(first, second)).when(rotate(first, third)).thenRejected('SignatureIsInvalid'));
  test.each([
    ['the current key', { signatureByCurrent: signature(second, third) }],
    ['the new key', { signatureByNew: signature(second, first) }],
    ['the new key for this node', { signatureByNew: signature(second, second, 'node_2') }],
    ['anybody', { signatureByCurrent: '', signatureByNew: '' }],
  ])('without the signature of %s is refused', (_whose, changes) =>
    given(enrolled)
      .when(rotate(first, second, changes))
      .thenRejected('SignatureIsInvalid'),
  );
  test('to what is no key is refused', () =>
    given(enrolled)
      .when(rotate(first, second, { publicKey: `U${'A'.repeat(55)}` }))
      .thenRejected('PublicKeyIsInvalid'));
  test('of a node that is not there is refused', () =>
    given().when(rotate(first, second)).thenRejected('NodeNotEnrolled'));
});

describe('recovery', () => {
  test('replaces a lost key by the word of the operator', () =>
    given(enrolled, cameOnline)
      .when(recover(second))
      .then(replaced(first, second, 'operator_1')));
  test('by another operator is refused', () =>
    given(enrolled).when(recover(second, 'operator_2')).thenRejected('NodeIsOfAnotherOperator'));
  test('to a key that nobody has is refused', () =>
    given(enrolled)
      .when(recover(second, 'operator_1', { signatureByNew: signature(second, first) }))
      .thenRejected('SignatureIsInvalid'));
  test('repeated changes nothing', () =>
    given(enrolled, replaced(first, second, 'operator_1'))
      .when(recover(second))
      .thenNothing());
  test('brings back a node that its operator has revoked', () =>
    given(enrolled, revoked(first, 'operator_1'))
      .when(recover(second))
      .then(replaced(first, second, 'operator_1'), reinstated));
  test('with the key that was revoked is refused', () =>
    given(enrolled, revoked(first, 'operator_1')).when(recover(first)).thenRejected('PublicKeyIsInvalid'));
  test('of a node that the platform has revoked is refused', () =>
    given(enrolled, revoked(first)).when(recover(second)).thenRejected('NodeIsRevoked'));
});

describe('revocation', () => {
  test('by the operator or the platform ends what the node was given', () => {
    given(enrolled).when(revoke('operator_1')).then(revoked(first, 'operator_1'));
    given(enrolled).when(revoke()).then(revoked(first));
  });
  test('takes a node that is online off the market at once', () =>
    given(enrolled, cameOnline).when(revoke()).then(revoked(first), wentOffline));
  test('by another operator is refused', () =>
    given(enrolled).when(revoke('operator_2')).thenRejected('NodeIsOfAnotherOperator'));
  test('without a reason is refused', () =>
    given(enrolled).when(revoke(undefined, ' ')).thenRejected('ReasonIsInvalid'));
  test('repeated changes nothing, and the platform’s counts for more', () => {
    given(enrolled, revoked(first)).when(revoke()).thenNothing();
    given(enrolled, revoked(first)).when(revoke('operator_1')).thenNothing();
    given(enrolled, revoked(first, 'operator_1')).when(revoke('operator_1')).thenNothing();
    given(enrolled, revoked(first, 'operator_1')).when(revoke()).then(revoked(first));
  });
  test('refuses all that the node says from then on', () => {
    given(enrolled, revoked(first)).when(markOnline).thenRejected('NodeIsRevoked');
    given(enrolled, revoked(first)).when(enrol(first)).thenRejected('NodeIsRevoked');
    given(enrolled, revoked(first)).when(rotate(first, second)).thenRejected('NodeIsRevoked');
  });
  test('is taken back by the platform', () => {
    given(enrolled, revoked(first)).when(reinstate).then(reinstated);
    given(enrolled).when(reinstate).thenNothing();
    given(enrolled, revoked(first), reinstated).when(markOnline).then(cameOnline);
  });
});

test('whatever happens, a node that is revoked is not online, and its key is the last one it was given', () => {
  const commands = fc.constantFrom(
    ...[enrol(first), markOnline, reinstate, revoke(), revoke('operator_1')],
    ...[rotate(first, second), rotate(second, third), recover(third), recover(first, 'operator_2')],
  );
  fc.assert(
    fc.property(fc.array(commands, { maxLength: 12 }), history => {
      let state = node.initialState;
      let key: string | undefined;
      for (const command of history) {
        const decision = node.decide(command, state);
        for (const event of decision.accepted ? decision.events : []) {
          if (event.type === 'NodeEnrolled' || event.type === 'NodeKeyReplaced') key = event.data.publicKey;
          state = node.evolve(state, event);
        }
        if (state.status === 'absent') continue;
        expect(state.publicKey).toBe(key);
        if (state.revokedBy) expect(state.status).toBe('offline');
      }
    }),
  );
});

test('what a node has proved was bound to its key, and ends with it', () => {
  const attestation = {
    kind: 'tpm',
    evidenceDigest: 'e'.repeat(64),
    acceptedAt: at,
    expiresAt: new Date(at.getTime() + 3_600_000),
  } as const;
  const attested: NodeEvent = { type: 'NodeAttested', data: { nodeId, attestation } };
  const ended: NodeEvent = {
    type: 'NodeAttestationRevoked',
    data: { nodeId, reason: 'its key was replaced' },
  };
  given(enrolled, attested).when(rotate(first, second)).then(replaced(first, second), ended);
  given(enrolled, cameOnline, attested)
    .when(recover(second))
    .then(replaced(first, second, 'operator_1'), ended, cameOnline);
});
