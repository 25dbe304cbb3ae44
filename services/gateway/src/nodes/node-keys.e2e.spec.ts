import { randomBytes } from 'node:crypto';
import { agentKeyPair } from '@astro/jetstream/credentials';
import { signNodeKey } from '@astro/messages/node-key-statement';
import { signNodeToken } from '@astro/runtime/node-token';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { startGateway, until, type Answer, type GatewayUnderTest } from '../gateway.fixture.js';

jest.setTimeout(120_000);

let gateway: GatewayUnderTest;
let operator: { operatorId: string; apiKey: string };

beforeAll(async () => {
  gateway = await startGateway();
  operator = await registered('an operator');
});
afterAll(() => gateway?.stop());

/** An operator whose key is known everywhere. */
async function registered(name: string): Promise<{ operatorId: string; apiKey: string }> {
  const made = await gateway.platform.administration().registerOperator(name);
  const ask = () => gateway.call('GET', '/v1/nodes', { key: made.apiKey });
  await until(ask, ({ status }) => status === 200);
  return made;
}

function expectProblem(answer: Answer, status: number, code: string): void {
  expect([answer.status, answer.json['code']]).toEqual([status, code]);
}

describe('a node', () => {
  const seed32 = randomBytes(32);
  const { publicKey } = agentKeyPair(seed32);
  const inventory = {
    devices: [{ kind: 'cpu', vendor: 'AMD', model: 'EPYC', memoryMib: 1_024 }],
    ...{ cpuMillis: 4_000, memoryMib: 1_024, diskMib: 1_024 },
    ...{ operatingSystem: 'linux', architecture: 'x64', runtimes: ['wasm'] },
  };
  const offer = { region: 'de-fra', inventory, pricePerSecondAtto: '1000' };
  const enrol = (body: unknown) => gateway.call('POST', '/v1/nodes', { key: operator.apiKey, body });

  test('whose clock is off is told so, and by how much', async () => {
    const nodeId = (await enrol({ publicKey, offer })).json['nodeId'] as string;
    for (const [offsetMs, direction] of [
      [120_000, /120 s ahead/],
      [-300_000, /300 s behind/],
    ] as const) {
      const now = Date.now;
      Date.now = () => now() + offsetMs;
      const key = await signNodeToken({ nodeId, seed32, ttlSeconds: 60 }).finally(() => (Date.now = now));
      const answer = await gateway.call('POST', `/v1/nodes/${nodeId}/credentials`, { key });
      expectProblem(answer, 401, 'clock_differs');
      expect(answer.json['detail']).toMatch(direction);
    }
  });

  test('gets another key by the word of both or of its operator, until it is revoked', async () => {
    const [first, second, third] = [randomBytes(32), randomBytes(32), randomBytes(32)];
    const keyOf = (seed: Uint8Array) => agentKeyPair(seed).publicKey;
    const nodeId = (await enrol({ publicKey: keyOf(first), offer })).json['nodeId'] as string;
    const tokenOf = (seed: Uint8Array) => signNodeToken({ nodeId, seed32: seed, ttlSeconds: 30 });
    const path = `/v1/nodes/${nodeId}`;
    const proofOf = (to: Uint8Array, by?: Uint8Array) => {
      const statement = { nodeId, publicKey: keyOf(to) };
      const signatureByCurrent = by && signNodeKey(statement, by);
      return {
        ...{ publicKey: keyOf(to), signatureByNew: signNodeKey(statement, to) },
        ...(signatureByCurrent && { signatureByCurrent }),
      };
    };
    const put = (body: unknown, key: string) => gateway.call('PUT', `${path}/key`, { key, body });

    const token = await tokenOf(first);
    expectProblem(await put(proofOf(second), token), 400, 'request_invalid');
    expectProblem(await put(proofOf(second, third), token), 400, 'request_invalid');
    const rotated = await put(proofOf(second, first), token);
    expect([rotated.status, decodeJwt(rotated.json['jwt'] as string).sub]).toEqual([200, keyOf(second)]);
    expectProblem(
      await gateway.call('POST', `${path}/credentials`, { key: token }),
      401,
      'credentials_invalid',
    );
    const renewed = await gateway.call('POST', `${path}/credentials`, { key: await tokenOf(second) });
    expect(decodeJwt(renewed.json['jwt'] as string)).toMatchObject({ sub: keyOf(second), name: nodeId });
    expect((await enrol({ publicKey: keyOf(second), offer })).json['nodeId']).toBe(nodeId);
    expectProblem(await enrol({ publicKey: keyOf(first), offer }), 409, 'node_exists');

    const stranger = await registered('Stranger');
    expectProblem(await put(proofOf(third), stranger.apiKey), 404, 'node_not_found');
    const revoke = (key: string, reason = 'stolen') =>
      gateway.call('POST', `${path}/revoke`, { key, body: { reason } });
    expectProblem(await revoke(stranger.apiKey), 404, 'node_not_found');
    expectProblem(await revoke(operator.apiKey, ''), 400, 'request_invalid');
    expect((await revoke(operator.apiKey)).status).toBe(200);
    const refused = await gateway.call('POST', `${path}/credentials`, { key: await tokenOf(second) });
    expectProblem(refused, 403, 'node_revoked');
    expectProblem(await enrol({ publicKey: keyOf(second), offer }), 403, 'node_revoked');

    expect((await put(proofOf(third), operator.apiKey)).status).toBe(200);
    const back = await gateway.call('POST', `${path}/credentials`, { key: await tokenOf(third) });
    expect(decodeJwt(back.json['jwt'] as string)).toMatchObject({ sub: keyOf(third), name: nodeId });
    await gateway.platform.administration().revokeNode(nodeId, 'it lies');
    expectProblem(await put(proofOf(first), operator.apiKey), 403, 'node_revoked');
  });
});
