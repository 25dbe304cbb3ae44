import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { NodeKey } from '../identity/node-key.js';
import type { NodeAgentConfig } from '../node-agent.config.js';
import { changePrices } from './asked-prices.js';
import { changeConfigFile, readConfigFile, settingsWith } from './config-file.js';
import { checkNodeVersion, checkPort } from './doctor/machine-checks.js';
import { checkBus } from './doctor/platform-checks.js';
import { connectOnce } from './node-setup.js';

let folder: string;
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'astro-node-cli-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the configuration file', () => {
  test('is its owner’s alone, and keeps what is not changed, comments too', async () => {
    const path = join(folder, 'deep', 'node.env');
    expect(await changeConfigFile(path, { REGION: 'de-fra', OFFER_HOURS: 'Mon-Fri 19:00-07:00' })).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const lines = (await readFile(path, 'utf8')).split('\n');
    await writeFile(path, ['# mine', ...lines].join('\n'));
    expect(await changeConfigFile(path, { REGION: 'fr-par', AGENT_NAME: undefined })).toBe(true);
    expect(await readFile(path, 'utf8')).toBe('# mine\nREGION=fr-par\nOFFER_HOURS="Mon-Fri 19:00-07:00"\n');
    expect(await readConfigFile(path)).toEqual({ REGION: 'fr-par', OFFER_HOURS: 'Mon-Fri 19:00-07:00' });
    expect(await changeConfigFile(path, { REGION: 'fr-par' })).toBe(false);
    await changeConfigFile(path, { REGION: undefined });
    expect(await readFile(path, 'utf8')).not.toContain('REGION');
  });

  test('yields to the environment, where that says something', async () => {
    const path = join(folder, 'under.env');
    await changeConfigFile(path, { REGION: 'de-fra', AGENT_NAME: 'alpha' });
    expect(await settingsWith(path, { REGION: 'fr-par', AGENT_NAME: '' })).toEqual({
      REGION: 'fr-par',
      AGENT_NAME: 'alpha',
    });
    await expect(settingsWith(join(folder, 'none'), {})).rejects.toThrow('is not there');
  });

  test('takes no value that would be read as two', async () => {
    const two = changeConfigFile(join(folder, 'two.env'), { AGENT_NAME: 'a\nOPERATOR_KEY=b' });
    await expect(two).rejects.toThrow(/^AGENT_NAME: must not/);
  });
});

describe('prices', () => {
  const path = () => join(folder, 'price.env');
  beforeAll(() => changeConfigFile(path(), { PRICE_PER_SECOND_ATTO: '10' }));

  test('are shown, changed and taken away', async () => {
    expect(await changePrices(path(), {}, {})).toMatchObject({ onDemand: '10' });
    await changePrices(path(), {}, { interruptible: '4', perGibTransferred: '3' });
    expect(await changePrices(path(), {}, { perGibTransferred: 'none' })).toEqual({
      ...{ onDemand: '10', interruptible: '4', perGibTransferred: undefined },
    });
  });

  test('that the agent would not take are not written', async () => {
    await expect(changePrices(path(), {}, { interruptible: '11' })).rejects.toThrow('must not be above');
    await expect(changePrices(path(), {}, { onDemand: 'much' })).rejects.toThrow('PRICE_PER_SECOND_ATTO');
    const elsewhere = changePrices(path(), { PRICE_PER_SECOND_ATTO: '9' }, { onDemand: '8' });
    await expect(elsewhere).rejects.toThrow('is set in the environment');
    expect(await changePrices(path(), {}, {})).toMatchObject({ onDemand: '10', interruptible: '4' });
  });
});

describe('the doctor', () => {
  test('says that a dead bus is dead', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise(resolve => closed.once('listening', resolve));
    const servers = [`nats://127.0.0.1:${(closed.address() as AddressInfo).port}`];
    await new Promise(resolve => closed.close(resolve));
    const key = await NodeKey.open(folder);
    const credentials = { servers, jwt: 'none', expiresAt: new Date() };
    const login = { nodeId: `node_${'0'.repeat(26)}`, key, credentials };
    expect(await checkBus(() => connectOnce(login), servers)).toMatchObject({
      ...{ id: 'bus', isNeeded: true, state: 'problem' },
      found: expect.stringContaining(servers[0]!),
      advice: expect.stringContaining('NATS'),
    });
  });

  test('says that a port is another’s', async () => {
    const other = createServer(socket => socket.destroy()).listen(0, '127.0.0.1');
    await new Promise(resolve => other.once('listening', resolve));
    const port = (other.address() as AddressInfo).port;
    const config = { HTTP_HOST: '127.0.0.1', HTTP_PORT: port } as NodeAgentConfig;
    try {
      expect(await checkPort(config)).toMatchObject({
        state: 'problem',
        found: expect.stringContaining('EADDRINUSE'),
      });
    } finally {
      await new Promise(resolve => other.close(resolve));
    }
    expect(await checkPort(config)).toMatchObject({ state: 'ok' });
  });

  test('says that Node is too old', () => {
    expect(checkNodeVersion('20.19.0')).toMatchObject({
      state: 'problem',
      advice: 'install Node 22 or later',
    });
  });
});
