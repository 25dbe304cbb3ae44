import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runAstro } from '@astro/devstack/command-line';
import { newId } from '@astro/event-sourcing/ids';
import { agentKeyPair } from '@astro/jetstream/credentials';
import { signNodeToken } from '@astro/runtime/node-token';
import { expect, test } from '@jest/globals';
import type { GatewayUnderTest } from '../gateway.fixture.js';

type Given = {
  readonly gateway: GatewayUnderTest;
  readonly operator: { readonly apiKey: string };
  readonly anotherOperator: { readonly apiKey: string };
};

const contentUrl = 'http://node.example.org:8081';
/** Of the test vectors of age, with its checksum. */
const encryptionRecipient = 'age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj';

const inventory = {
  devices: [{ kind: 'cpu', vendor: 'AMD', model: 'EPYC', memoryMib: 1_024 }],
  ...{ cpuMillis: 4_000, memoryMib: 1_024, diskMib: 1_024 },
  ...{ operatingSystem: 'linux', architecture: 'x64', runtimes: ['wasm'] },
};
const offer = { region: 'de-fra', inventory, pricePerSecondAtto: '1000', contentUrl, encryptionRecipient };

/** What is said of one node, by it and by its operator; the gateway of the spec that this is part of serves it too. */
export function nodeWork(given: () => Given): void {
  const seed32 = randomBytes(32);
  const { publicKey } = agentKeyPair(seed32);
  const enrolled = async () => {
    const { gateway, operator } = given();
    const body = { publicKey, offer };
    return (await gateway.call('POST', '/v1/nodes', { key: operator.apiKey, body })).json['nodeId'] as string;
  };

  test('says how fast it is, which is believed within bounds, and only of itself', async () => {
    const { gateway, operator } = given();
    const nodeId = await enrolled();
    const key = await signNodeToken({ nodeId, seed32, ttlSeconds: 30 });
    const measured = {
      ...{ matrixMflops: 42_000, memoryMibPerSecond: 45_600, networkKibPerSecond: 0 },
      ...{ diskWriteMibPerSecond: 1_120, diskReadMibPerSecond: 1_800, cores: 4, spreadThousandths: 12 },
      peerNetworkKibPerSecond: 51_200,
    };
    const report = (id: string, body: unknown, by = key) =>
      gateway.call('POST', `/v1/nodes/${id}/measurements`, { key: by, body });
    const performance = { ...measured, milliUnits: 2_000 };
    expect((await report(nodeId, measured)).json).toMatchObject({ id: nodeId, performance });
    const read = await gateway.call('GET', `/v1/nodes/${nodeId}`, { key: operator.apiKey });
    expect(read.json).toMatchObject({ performance });
    const absurd = await report(nodeId, { ...measured, matrixMflops: 2_000_001 });
    const errors = [{ field: 'measurement.matrixMflops', rule: 'must be from 1 to 2000000' }];
    expect([absurd.status, absurd.json]).toMatchObject([400, { code: 'request_invalid', errors }]);
    expect((await report(newId('node'), measured)).json).toMatchObject({ code: 'node_not_found' });
    const byOperator = await report(nodeId, measured, operator.apiKey);
    expect(byOperator.json).toMatchObject({ code: 'caller_not_allowed' });
  });

  test('is seen by all with whom to encrypt to, by nodes and its operator with where it serves content', async () =>
    assertSeen(given(), await enrolled(), seed32));

  test('is drained by its operator alone, who sees by the command line what it does and earns', async () => {
    const { gateway, operator, anotherOperator } = given();
    const nodeId = await enrolled();
    const path = `/v1/nodes/${nodeId}/drain`;
    const drain = (key: string) => gateway.call('POST', path, { key, body: { noticeSeconds: 60 } });
    expect((await drain(anotherOperator.apiKey)).json).toMatchObject({ code: 'node_not_found' });
    expect((await drain(operator.apiKey)).json['drain']).toMatchObject({ noticeUntil: expect.any(String) });
    const folder = await mkdtemp(join(tmpdir(), 'astro-cli-'));
    try {
      const settings = { GATEWAY_URL: gateway.url, OPERATOR_KEY: operator.apiKey, AGENT_STATE_DIR: folder };
      const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
      await writeFile(join(folder, 'node.env'), lines.join(''), { mode: 0o600 });
      await writeFile(join(folder, 'node.json'), JSON.stringify({ nodeId }));
      const astro = (...args: readonly string[]) => runAstro(['node', ...args, '--state-dir', folder]);
      const top = await astro('top', '--json');
      expect([top.exitCode, JSON.parse(top.stdout)]).toMatchObject([
        0,
        { node: { id: nodeId, drain: {} }, leases: [], earningAttoPerSecond: '0', earnedTodayAtto: '0' },
      ]);
      expect((await astro('top', '--once')).stdout).toContain(`${nodeId}   offline, drained since`);
      const earnings = await astro('earnings', '--day', '--device', '--json');
      expect([earnings.exitCode, JSON.parse(earnings.stdout)]).toMatchObject([
        0,
        { items: [], summary: { earnedAtto: '0' } },
      ]);
      await astro('undrain');
      const read = await gateway.call('GET', `/v1/nodes/${nodeId}`, { key: operator.apiKey });
      expect(read.json).not.toHaveProperty('drain');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 60_000);
}

async function assertSeen(
  { gateway, operator, anotherOperator }: Given,
  nodeId: string,
  seed32: Uint8Array,
): Promise<void> {
  const contentUrlFor = async (key: string) => {
    const { json: one } = await gateway.call('GET', `/v1/nodes/${nodeId}`, { key });
    const { json: page } = await gateway.call('GET', '/v1/nodes', { key });
    expect((page['items'] as { id: string }[]).find(({ id }) => id === nodeId)).toEqual(one);
    expect(one).toMatchObject({ encryptionRecipient });
    return one['contentUrl'];
  };
  const node = await signNodeToken({ nodeId, seed32, ttlSeconds: 30 });
  expect([await contentUrlFor(operator.apiKey), await contentUrlFor(node)]).toEqual([contentUrl, contentUrl]);
  expect(await contentUrlFor(anotherOperator.apiKey)).toBeUndefined();
  const wrong = { ...offer, encryptionRecipient: `${encryptionRecipient.slice(0, -1)}q` };
  const body = { publicKey: agentKeyPair(seed32).publicKey, offer: wrong };
  const refused = await gateway.call('POST', '/v1/nodes', { key: operator.apiKey, body });
  expect(refused.json).toMatchObject({ errors: [{ field: 'offer.encryptionRecipient' }] });
}
