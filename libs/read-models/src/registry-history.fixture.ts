import type {
  AffiliationKind,
  ApiKeyEvent,
  Attestation,
  FigureChange,
  Measurement,
  NodeEvent,
  Offer,
  OperatorEvent,
  TenantEvent,
  WalletsEvent,
} from '@astro/messages/registry';
import { plainDevice, plainInventory, plainOffer } from '@astro/messages/unconstrained';

export const offer = (nodeId: string, pricePerSecondAtto = 5n): Offer => ({
  nodeId,
  operatorId: 'operator_1',
  region: 'de-fra',
  inventory: {
    devices: [{ kind: 'gpu', vendor: 'v', model: 'm', memoryMib: 8192, ...plainDevice }],
    cpuMillis: 4000,
    memoryMib: 8192,
    diskMib: 1000,
    operatingSystem: 'linux',
    architecture: 'x64',
    runtimes: ['wasm'],
    ...plainInventory,
  },
  pricePerSecondAtto,
  ...plainOffer,
});

export const attestation: Attestation = {
  kind: 'tdx',
  evidenceDigest: 'e'.repeat(64),
  acceptedAt: new Date(0),
  expiresAt: new Date(1),
};
const challenge = { nonce: 'f'.repeat(64), issuedAt: new Date(0), expiresAt: new Date(1) };
export const measurement: Measurement = {
  measuredAt: new Date(0),
  matrixMflops: 2_000,
  memoryMibPerSecond: 9_000,
  diskWriteMibPerSecond: 300,
  diskReadMibPerSecond: 800,
  networkKibPerSecond: 0,
  cores: 4,
  spreadThousandths: 20,
};
export const figureChange: FigureChange = { figure: 'matrix_mflops', usual: 5_000, measured: 2_000 };
export const registryHistory: readonly (
  TenantEvent | OperatorEvent | ApiKeyEvent | NodeEvent | WalletsEvent
)[] = [
  walletLinked(0, '0xaa'),
  walletLinked(1, '0xbb'),
  { type: 'TenantRegistered', data: { tenantId: 'tenant_1', name: 'Ada' } },
  { type: 'OperatorRegistered', data: { operatorId: 'operator_1', name: 'Charles' } },
  affiliated('operator_1', 'network', 'n1'),
  affiliated('operator_2', 'network', 'n1'),
  affiliated('operator_1', 'funding', 'w1'),
  affiliated('operator_1', 'network', 'n2'),
  {
    type: 'OperatorDisaffiliated',
    data: { operatorId: 'operator_1', affiliation: { kind: 'network', key: 'n2' } },
  },
  {
    type: 'ApiKeyIssued',
    data: { keyId: 'key_1', owner: 'tenant', ownerId: 'tenant_1', sha256: 'aa', label: 'first' },
  },
  {
    type: 'ApiKeyIssued',
    data: { keyId: 'key_2', owner: 'operator', ownerId: 'operator_1', sha256: 'bb', label: '' },
  },
  { type: 'ApiKeyRevoked', data: { keyId: 'key_1' } },
  { type: 'NodeEnrolled', data: { offer: offer('node_1'), publicKey: 'U1' } },
  { type: 'NodeEnrolled', data: { offer: offer('node_2', 10n ** 25n), publicKey: 'U2' } },
  { type: 'NodeEnrolled', data: { offer: offer('node_3'), publicKey: 'U3' } },
  { type: 'NodeCameOnline', data: { offer: offer('node_1', 6n) } },
  { type: 'NodeCameOnline', data: { offer: offer('node_2', 10n ** 25n) } },
  { type: 'NodeWentOffline', data: { nodeId: 'node_1', lastSeenAt: new Date(0) } },
  { type: 'NodeChallenged', data: { ...challenge, nodeId: 'node_1' } },
  { type: 'NodeAttested', data: { nodeId: 'node_1', attestation } },
  { type: 'NodeAttested', data: { nodeId: 'node_2', attestation } },
  { type: 'NodeCameOnline', data: { offer: offer('node_2', 10n ** 25n), attestation } },
  { type: 'NodeAttestationRevoked', data: { nodeId: 'node_2', reason: 'a flaw' } },
  { type: 'NodeCameOnline', data: { offer: offer('node_2', 10n ** 25n) } },
  { type: 'NodeKeyReplaced', data: { nodeId: 'node_1', previousPublicKey: 'U1', publicKey: 'U4' } },
  { type: 'NodeRevoked', data: { nodeId: 'node_1', publicKey: 'U4', reason: 'stolen' } },
  { type: 'NodeRevoked', data: { nodeId: 'node_3', publicKey: 'U3', reason: 'lost' } },
  { type: 'NodeReinstated', data: { nodeId: 'node_3' } },
  { type: 'NodeMeasured', data: { nodeId: 'node_1', measurement, milliUnits: 1_500 } },
  { type: 'NodePerformanceChanged', data: { nodeId: 'node_1', changes: [figureChange] } },
  { type: 'NodeDrained', data: { nodeId: 'node_1', drain: { from: new Date(0), noticeUntil: new Date(1) } } },
  { type: 'NodeDrained', data: { nodeId: 'node_2', drain: { from: new Date(0) } } },
  { type: 'NodeUndrained', data: { nodeId: 'node_2' } },
];

function walletLinked(nonce: number, address: string): WalletsEvent {
  const owner = { owner: 'operator', ownerId: 'operator_1' } as const;
  const expiresAt = new Date(Date.UTC(2026, 1, 1));
  return { type: 'WalletLinked', data: { ...owner, chainId: 1, address, nonce, expiresAt, signature: '0x' } };
}

function affiliated(operatorId: string, kind: AffiliationKind, key: string): OperatorEvent {
  return {
    type: 'OperatorAffiliated',
    data: { operatorId, affiliation: { kind, key }, seenAt: new Date(Date.UTC(2026, 1, 2)) },
  };
}
