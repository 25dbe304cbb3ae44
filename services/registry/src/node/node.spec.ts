import { describe, expect, test } from '@jest/globals';
import { referenceMachine } from '@astro/messages/compute-unit';
import { specify } from '@astro/event-sourcing/specify';
import { comesBack, shapeDigestOf } from '@astro/event-sourcing/specify-snapshot';
import type { Attestation, Device, Inventory, NodeCommand, NodeEvent, Offer } from '@astro/messages/registry';
import fc from 'fast-check';
import { node } from './node.fixture.js';
import type { Node } from './node.js';
import { plainDevice, plainInventory, plainOffer } from '@astro/messages/unconstrained';

const given = specify(node);
const publicKey = `U${'A'.repeat(55)}`;
const gpu: Device = { kind: 'gpu', vendor: 'NVIDIA', model: 'H100', memoryMib: 81_920, ...plainDevice };
const inventory: Inventory = {
  devices: [gpu],
  cpuMillis: 16_000,
  memoryMib: 131_072,
  diskMib: 65_536,
  operatingSystem: 'linux',
  architecture: 'x64',
  runtimes: ['wasm'],
  ...plainInventory,
};
const offer: Offer = {
  nodeId: 'node_1',
  operatorId: 'operator_1',
  region: 'de-fra',
  inventory,
  pricePerSecondAtto: 10n ** 12n,
  ...plainOffer,
};
const enrol = (changes: Partial<Offer> = {}, key = publicKey): NodeCommand => ({
  type: 'EnrolNode',
  data: { offer: { ...offer, ...changes }, publicKey: key },
});
const holding = (changes: Partial<Inventory>) => enrol({ inventory: { ...inventory, ...changes } });
const lastSeenAt = new Date('2026-01-01T00:00:00Z');
const markOnline: NodeCommand = { type: 'MarkNodeOnline', data: { nodeId: 'node_1' } };
const markOffline: NodeCommand = { type: 'MarkNodeOffline', data: { nodeId: 'node_1', lastSeenAt } };
const enrolled: NodeEvent = { type: 'NodeEnrolled', data: { offer, publicKey } };
const cameOnline: NodeEvent = { type: 'NodeCameOnline', data: { offer } };
const wentOffline: NodeEvent = { type: 'NodeWentOffline', data: { nodeId: 'node_1', lastSeenAt } };

describe('enrolment', () => {
  test('puts a node on the market', () => given().when(enrol()).then(enrolled));
  test('repeated with the same content changes nothing', () => given(enrolled).when(enrol()).thenNothing());
  test('repeated while online changes nothing', () =>
    given(enrolled, cameOnline).when(enrol()).thenNothing());
  test('with another key is refused', () =>
    given(enrolled)
      .when(enrol({}, `U${'B'.repeat(55)}`))
      .thenRejected('NodeHasAnotherKey'));
  test('by another operator is refused', () =>
    given(enrolled)
      .when(enrol({ operatorId: 'operator_2' }))
      .thenRejected('NodeHasAnotherOperator'));
  test('with another price is recorded', () => {
    const dearer = { ...offer, pricePerSecondAtto: 10n ** 13n };
    return given(enrolled)
      .when(enrol(dearer))
      .then({ type: 'NodeEnrolled', data: { offer: dearer, publicKey } });
  });
  test('with another price while online brings the node online anew', () => {
    const dearer = { ...offer, pricePerSecondAtto: 10n ** 13n };
    return given(enrolled, cameOnline)
      .when(enrol(dearer))
      .then(
        { type: 'NodeEnrolled', data: { offer: dearer, publicKey } },
        { type: 'NodeCameOnline', data: { offer: dearer } },
      );
  });
  test('with a key that is none is refused', () =>
    given().when(enrol({}, 'SUSEED')).thenRejected('PublicKeyIsInvalid'));
});

const refused: readonly [title: string, command: NodeCommand, rejection: string, field: string][] = [
  ['no devices', holding({ devices: [] }), 'InventoryIsInvalid', 'offer.inventory.devices'],
  ['65 devices', holding({ devices: Array(65).fill(gpu) }), 'InventoryIsInvalid', 'offer.inventory.devices'],
  [
    'a device of no kind',
    holding({ devices: [gpu, { ...gpu, kind: 'unspecified' }] }),
    'InventoryIsInvalid',
    'offer.inventory.devices[1].kind',
  ],
  [
    'a device without memory',
    holding({ devices: [{ ...gpu, memoryMib: 0 }] }),
    'InventoryIsInvalid',
    'offer.inventory.devices[0].memoryMib',
  ],
  [
    'a device of more than 16 TiB',
    holding({ devices: [{ ...gpu, memoryMib: 16_777_217 }] }),
    'InventoryIsInvalid',
    'offer.inventory.devices[0].memoryMib',
  ],
  [
    'a CPU with more memory than its host',
    holding({ devices: [{ ...gpu, kind: 'cpu', memoryMib: inventory.memoryMib + 1 }] }),
    'InventoryIsInvalid',
    'offer.inventory.devices[0].memoryMib',
  ],
  [
    'a device without a model',
    holding({ devices: [{ ...gpu, model: '' }] }),
    'InventoryIsInvalid',
    'offer.inventory.devices[0].model',
  ],
  ['no CPU', holding({ cpuMillis: 0 }), 'InventoryIsInvalid', 'offer.inventory.cpuMillis'],
  ['2,000 cores', holding({ cpuMillis: 2_000_000 }), 'InventoryIsInvalid', 'offer.inventory.cpuMillis'],
  ['half a MiB', holding({ memoryMib: 0.5 }), 'InventoryIsInvalid', 'offer.inventory.memoryMib'],
  ['no runtime', holding({ runtimes: [] }), 'InventoryIsInvalid', 'offer.inventory.runtimes'],
  [
    'an unknown runtime',
    holding({ runtimes: ['wasm', 'abacus'] }),
    'InventoryIsInvalid',
    'offer.inventory.runtimes[1]',
  ],
  [
    'a line break in the operating system',
    holding({ operatingSystem: 'linux\n' }),
    'InventoryIsInvalid',
    'offer.inventory.operatingSystem',
  ],
  ['a region in capitals', enrol({ region: 'DE-FRA' }), 'OfferIsInvalid', 'offer.region'],
  ['a region without a place', enrol({ region: 'de' }), 'OfferIsInvalid', 'offer.region'],
  [
    'a dearer price of what may be stopped',
    enrol({ interruptiblePricePerSecondAtto: 10n ** 12n + 1n }),
    'OfferIsInvalid',
    'offer.interruptiblePricePerSecondAtto',
  ],
  [
    'a price of nothing for transfer',
    enrol({ pricePerGibTransferredAtto: 0n }),
    'OfferIsInvalid',
    'offer.pricePerGibTransferredAtto',
  ],
  [
    'a price beyond all money for transfer',
    enrol({ pricePerGibTransferredAtto: 10n ** 24n + 1n }),
    'OfferIsInvalid',
    'offer.pricePerGibTransferredAtto',
  ],
  ['no price', enrol({ pricePerSecondAtto: 0n }), 'OfferIsInvalid', 'offer.pricePerSecondAtto'],
  [
    'a price beyond all money',
    enrol({ pricePerSecondAtto: 10n ** 24n + 1n }),
    'OfferIsInvalid',
    'offer.pricePerSecondAtto',
  ],
];

test('a node may offer each runtime, with and without a network', () => {
  const runtimes = ['wasm', 'process', 'process+network', 'container', 'container+network'];
  const data = { offer: { ...offer, inventory: { ...inventory, runtimes } }, publicKey };
  return given().when(holding({ runtimes })).then({ type: 'NodeEnrolled', data });
});

test.each(refused)(
  'an offer with %s is refused and the field is named',
  (_title, command, rejection, field) => {
    expect(node.decide(command, node.initialState)).toEqual({
      accepted: false,
      rejection,
      detail: expect.stringMatching(new RegExp(`^${field.replaceAll(/[.[\]]/g, '\\$&')}: must`)),
    });
  },
);

test('the largest offer within the bounds is taken', () => {
  const largest = {
    devices: Array<Device>(64).fill({ ...gpu, memoryMib: 16_777_216 }),
    cpuMillis: 1_024_000,
    memoryMib: 16_777_216,
  };
  given()
    .when(enrol({ pricePerSecondAtto: 10n ** 24n, inventory: { ...inventory, ...largest } }))
    .thenState(state => expect(state.status).toBe('offline'));
});

describe('liveness', () => {
  test('a node comes online with its offer', () => given(enrolled).when(markOnline).then(cameOnline));
  test('a node that is online stays so', () => given(enrolled, cameOnline).when(markOnline).thenNothing());
  test('a silent node goes offline', () => given(enrolled, cameOnline).when(markOffline).then(wentOffline));
  test('a node that is offline stays so', () => given(enrolled).when(markOffline).thenNothing());
  test('a node comes back', () => given(enrolled, cameOnline, wentOffline).when(markOnline).then(cameOnline));
  test('a node that never enrolled does not come online', () =>
    given().when(markOnline).thenRejected('NodeNotEnrolled'));
  test('a node that never enrolled does not go offline', () =>
    given().when(markOffline).thenRejected('NodeNotEnrolled'));
});

describe('attestation', () => {
  const acceptedAt = new Date('2026-01-01T00:00:00Z');
  const findings = {
    measurement: '7d'.repeat(48),
    firmware: 'UpToDate',
    hardwareClass: 'Intel TDX 1.0',
    rulesDigest: 'd'.repeat(64),
    deviceCount: 0,
  };
  const attestation: Attestation = {
    kind: 'tdx',
    evidenceDigest: 'e'.repeat(64),
    acceptedAt,
    expiresAt: new Date('2026-01-02T00:00:00Z'),
    findings,
  };
  const nonce = 'f'.repeat(64);
  const minutesLater = (minutes: number) => new Date(acceptedAt.getTime() + minutes * 60_000);
  const challengeOf = (from: number, until: number, itsNonce = nonce) => ({
    nodeId: 'node_1',
    nonce: itsNonce,
    issuedAt: minutesLater(from),
    expiresAt: minutesLater(until),
  });
  const challenge = (...args: Parameters<typeof challengeOf>): NodeCommand => ({
    type: 'ChallengeNode',
    data: challengeOf(...args),
  });
  const challenged = (...args: Parameters<typeof challengeOf>): NodeEvent => ({
    type: 'NodeChallenged',
    data: challengeOf(...args),
  });
  const asked = challenged(-1, 4);
  const able = { ...offer, attestationClaimed: 'tdx' as const };
  const enrolledAble: NodeEvent = { type: 'NodeEnrolled', data: { offer: able, publicKey } };
  const online: NodeEvent = { type: 'NodeCameOnline', data: { offer: able } };
  const attested: NodeEvent = { type: 'NodeAttested', data: { nodeId: 'node_1', attestation } };
  const onlineAttested: NodeEvent = { type: 'NodeCameOnline', data: { offer: able, attestation } };
  const attest = (changes: Partial<Attestation> = {}): NodeCommand => ({
    type: 'AttestNode',
    data: { nodeId: 'node_1', attestation: { ...attestation, ...changes }, nonce },
  });
  const revoke: NodeCommand = { type: 'RevokeAttestation', data: { nodeId: 'node_1', reason: 'a flaw' } };
  const revoked = (reason: string): NodeEvent => ({
    type: 'NodeAttestationRevoked',
    data: { nodeId: 'node_1', reason },
  });

  test('is a claim until it was accepted', () => given(enrolledAble).when(markOnline).then(online));
  test('is accepted of what the node claims, by its open challenge', () =>
    given(enrolledAble, asked).when(attest()).then(attested));
  test('is told to those who place work, at once or when the node comes', () => {
    given(enrolledAble, asked, online).when(attest()).then(attested, onlineAttested);
    given(enrolledAble, attested).when(markOnline).then(onlineAttested);
  });
  test('accepted twice is accepted', () => given(enrolledAble, attested).when(attest()).thenNothing());
  test('of a kind that the node does not claim is refused', () => {
    given(enrolled).when(attest()).thenRejected('AttestationIsNotClaimed');
    given(enrolledAble)
      .when(attest({ kind: 'sev_snp' }))
      .thenRejected('AttestationIsNotClaimed');
  });
  test.each<[string, Partial<Attestation>]>([
    ['kind', { kind: 'unspecified' }],
    ['evidenceDigest', { evidenceDigest: 'E'.repeat(64) }],
    ['expiresAt', { expiresAt: attestation.acceptedAt }],
    ['expiresAt', { expiresAt: new Date('2026-02-01T00:00:00Z') }],
    ['findings.rulesDigest', { findings: { ...findings, rulesDigest: '' } }],
  ])('with a wrong %s is refused and the field is named', (field, changes) => {
    const state = [enrolledAble, asked].reduce(node.evolve, node.initialState);
    expect(node.decide(attest(changes), state)).toMatchObject({
      rejection: 'AttestationIsInvalid',
      detail: expect.stringMatching(new RegExp(`^attestation.${field}: must`)),
    });
  });
  test('answers a challenge that is open, and has not expired', () => {
    given(enrolledAble).when(attest()).thenRejected('ChallengeIsUnknown');
    given(enrolledAble, challenged(-1, 4, '0'.repeat(64)))
      .when(attest())
      .thenRejected('ChallengeIsUnknown');
    given(enrolledAble, challenged(-6, -1)).when(attest()).thenRejected('ChallengeHasExpired');
  });
  test('uses its challenge up', () => {
    given(enrolledAble, asked, attested)
      .when(attest({ evidenceDigest: 'c'.repeat(64) }))
      .thenRejected('ChallengeIsUnknown');
  });
  test('is renewed by another challenge', () => {
    const renewed = { ...attestation, acceptedAt: minutesLater(60), expiresAt: minutesLater(120) };
    given(enrolledAble, asked, attested, challenged(59, 64))
      .when(attest(renewed))
      .then({ type: 'NodeAttested', data: { nodeId: 'node_1', attestation: renewed } });
  });
  test('of what the platform verifies itself is taken on nobody’s word', () => {
    const { findings: _none, ...bare } = attestation;
    const word: NodeCommand = { type: 'AttestNode', data: { nodeId: 'node_1', attestation: bare } };
    given(enrolledAble, asked).when(word).thenRejected('EvidenceIsMissing');
    const withoutFindings: NodeCommand = { ...word, data: { ...word.data, nonce } };
    given(enrolledAble, asked).when(withoutFindings).thenRejected('EvidenceIsMissing');
    const measured: NodeEvent = {
      type: 'NodeEnrolled',
      data: { offer: { ...offer, attestationClaimed: 'tpm' }, publicKey },
    };
    const data = { nodeId: 'node_1', attestation: { ...bare, kind: 'tpm' as const } };
    given(measured).when({ type: 'AttestNode', data }).then({ type: 'NodeAttested', data });
  });
  test('of a machine with devices is of all that it offers', () => {
    const confidential: NodeEvent = {
      type: 'NodeEnrolled',
      data: { offer: { ...offer, attestationClaimed: 'nvidia_cc' }, publicKey },
    };
    const of = (deviceCount: number) => attest({ kind: 'nvidia_cc', findings: { ...findings, deviceCount } });
    given(confidential, asked).when(of(0)).thenRejected('DevicesAreMissing');
    expect(node.decide(of(1), [confidential, asked].reduce(node.evolve, node.initialState)).accepted).toBe(
      true,
    );
  });
  test('a challenge is given, and told again while half of its time is left', () => {
    given(enrolledAble).when(challenge(0, 5)).then(challenged(0, 5));
    const other = '0'.repeat(64);
    const state = [enrolledAble, challenged(0, 5)].reduce(node.evolve, node.initialState);
    const repeated = node.decide(challenge(2, 7, other), state);
    expect(repeated).toMatchObject({ accepted: true, events: [] });
    expect(JSON.parse((repeated as { answer: string }).answer)).toMatchObject({ nonce });
    given(enrolledAble, challenged(0, 5))
      .when(challenge(3, 8, other))
      .then(challenged(3, 8, other));
  });
  test.each([
    ['nonce', challenge(0, 5, 'f')],
    ['expiresAt', challenge(0, 0)],
    ['expiresAt', challenge(0, 11)],
  ])('a challenge with a wrong %s is refused and the field is named', (field, command) => {
    const state = node.evolve(node.initialState, enrolledAble);
    expect(node.decide(command, state)).toMatchObject({
      rejection: 'ChallengeIsInvalid',
      detail: expect.stringMatching(new RegExp(`^${field}: must`)),
    });
  });
  test('only an enrolled node is challenged', () =>
    given().when(challenge(0, 5)).thenRejected('NodeNotEnrolled'));
  test('is revoked', () => {
    given(enrolledAble, attested).when(revoke).then(revoked('a flaw'));
    given(enrolledAble, attested, onlineAttested).when(revoke).then(revoked('a flaw'), online);
    given(enrolledAble).when(revoke).thenNothing();
  });
  test('outlives another price and another share of the same machine', () => {
    const cheaper = { ...able, pricePerSecondAtto: 7n, inventory: { ...inventory, cpuMillis: 8_000 } };
    given(enrolledAble, attested, onlineAttested)
      .when(enrol(cheaper))
      .then(
        { type: 'NodeEnrolled', data: { offer: cheaper, publicKey } },
        { type: 'NodeCameOnline', data: { offer: cheaper, attestation } },
      );
  });
  test('does not outlive the machine', () => {
    const other = { ...able, inventory: { ...inventory, devices: [{ ...gpu, model: 'H200' }] } };
    given(enrolledAble, attested, onlineAttested)
      .when(enrol(other))
      .then(
        { type: 'NodeEnrolled', data: { offer: other, publicKey } },
        revoked('the offer is of another machine'),
        { type: 'NodeCameOnline', data: { offer: other } },
      );
    given(enrolledAble, attested).when(enrol()).then(enrolled, revoked('the offer is of another machine'));
  });
});

test('a state comes back from its snapshot as it was, and its shape is that of version 6', () => {
  const attestation: Attestation = {
    kind: 'tpm',
    evidenceDigest: 'e'.repeat(64),
    acceptedAt: lastSeenAt,
    expiresAt: new Date(lastSeenAt.getTime() + 1),
  };
  const challenge = {
    nodeId: 'node_1',
    nonce: 'f'.repeat(64),
    issuedAt: lastSeenAt,
    expiresAt: new Date(lastSeenAt.getTime() + 1),
  };
  const drain = { from: lastSeenAt, noticeUntil: lastSeenAt };
  const measurement = {
    ...referenceMachine.figures,
    ...{ measuredAt: lastSeenAt, networkKibPerSecond: 0, cores: 1, spreadThousandths: 0 },
  };
  const commands = fc.constantFrom<NodeCommand>(
    enrol(),
    enrol({ attestationClaimed: 'tpm' }),
    { type: 'AttestNode', data: { nodeId: 'node_1', attestation } },
    { type: 'ChallengeNode', data: challenge },
    { type: 'RevokeNode', data: { nodeId: 'node_1', reason: 'lost', at: lastSeenAt } },
    { type: 'DrainNode', data: { nodeId: 'node_1', operatorId: 'operator_1', drain } },
    { type: 'MeasureNode', data: { nodeId: 'node_1', measurement } },
    markOnline,
    markOffline,
  );
  const states: Node[] = [];
  fc.assert(
    fc.property(fc.array(commands, { maxLength: 8 }), history => {
      let state = node.initialState;
      for (const command of history) {
        const decision = node.decide(command, state);
        if (decision.accepted) state = decision.events.reduce(node.evolve, state);
        comesBack(node.snapshot!, state);
        states.push(state);
      }
    }),
    { seed: 7 },
  );
  expect(`${node.snapshot!.version} ${shapeDigestOf(states)}`).toBe('6 6e06160cd564ef3a');
});
