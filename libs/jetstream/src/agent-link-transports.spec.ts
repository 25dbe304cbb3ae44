import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect as connectSocket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { makeCertificate } from '@astro/devstack/compose/certificate';
import { urlsOf, type NatsListeners } from '@astro/devstack/nats/listeners';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { newId } from '@astro/event-sourcing/ids';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { AgentLink } from './agent-link.js';
import { Bus } from './bus.js';
import { agentKeyPair, issueAgentJwt } from './credentials.js';
import { generateOperatorKit, serviceCredentials } from './operator-kit.js';
import { ensureStreams } from './streams.js';

const kit = generateOperatorKit();
const known = getCACertificates('default');

let dir: string;
let server: NatsServer;
let listeners: NatsListeners;
let [tlsUrl, wssUrl]: readonly string[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-transports-'));
  const [tls, websocketPort] = [await certificate('server'), await freePort()];
  listeners = { tls, websocketPort };
  server = await startNats({ dir, kit, listeners });
  [tlsUrl, wssUrl] = urlsOf(server.port, listeners);
  await trust(tls.certFile);
  const credentials = serviceCredentials(kit, 'spec');
  const bus = await Bus.connect({ servers: server.url, name: 'transports-spec', credentials });
  await ensureStreams(bus);
  await bus.close();
}, 120_000);

afterAll(async () => {
  setDefaultCACertificates(known);
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

describe('an agent on the internet', () => {
  test.each(['tls', 'wss'])('reports over %s', async transport => {
    const link = await connect(transport === 'tls' ? tlsUrl! : wssUrl!);
    await link.report('DesiredStateWanted', { revision: 0 });
    await link.close();
  });

  test('goes over a WebSocket where nothing else gets through', async () => {
    const link = await connect(`tls://127.0.0.1:1,${wssUrl}`);
    await link.report('DesiredStateWanted', { revision: 0 });
    await link.close();
  });

  test.each(['tls', 'wss'])(
    'tells nothing over %s to a server that nobody it trusts has certified',
    async transport => {
      const { certFile } = await certificate('stranger');
      await trust(certFile);
      try {
        await expect(connect(transport === 'tls' ? tlsUrl! : wssUrl!)).rejects.toThrow();
      } finally {
        await trust(listeners.tls!.certFile);
      }
    },
  );

  test('tells nothing to a server that was to speak TLS and does not', async () => {
    const plain = await startNats({ dir: join(dir, 'plain'), kit });
    await expect(connect(`tls://127.0.0.1:${plain.port}`)).rejects.toThrow(/tls/i);
    await plain.stop();
  });
});

test('a server with a certificate lets nobody in who speaks plain text', async () => {
  const socket = connectSocket(server.port, '127.0.0.1');
  let answer = '';
  socket.on('data', data => (answer += data.toString('latin1')));
  socket.write('CONNECT {"verbose":false,"pedantic":false}\r\nPING\r\n');
  await once(socket, 'close');
  expect(answer).not.toContain('PONG');
  await expect(connect(wssUrl!.replace('wss:', 'ws:'))).rejects.toThrow();
});

async function connect(servers: string): Promise<AgentLink> {
  const [nodeId, seed32] = [newId('node'), randomBytes(32)];
  const jwt = issueAgentJwt({
    accountPublicKey: kit.agentAccountPublicKey,
    signingSeed: kit.agentSigningSeed,
    nodeId,
    userPublicKey: agentKeyPair(seed32).publicKey,
    ttlSeconds: 600,
  });
  return AgentLink.connect({ servers, nodeId, access: () => ({ jwt, seed32 }), name: 'transports-spec' });
}

async function trust(certFile: string): Promise<void> {
  setDefaultCACertificates([...known, await readFile(certFile, 'utf8')]);
}

/** Signed by itself, so that it is its own authority. */
async function certificate(name: string): Promise<{ readonly certFile: string; readonly keyFile: string }> {
  const [certFile, keyFile] = [join(dir, `${name}-cert.pem`), join(dir, `${name}-key.pem`)];
  const made = await makeCertificate([name, 'localhost'], ['127.0.0.1']);
  await writeFile(certFile, made.certificate);
  await writeFile(keyFile, made.key, { mode: 0o600 });
  return { certFile, keyFile };
}

async function freePort(): Promise<number> {
  const listening = createServer().listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const address = listening.address();
  listening.close();
  await once(listening, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
