import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { newId } from '@astro/event-sourcing/ids';
import { AgentLink } from '@astro/jetstream/agent-link';
import { Bus } from '@astro/jetstream/bus';
import { agentKeyPair, issueAgentJwt } from '@astro/jetstream/credentials';
import { ensureStreams } from '@astro/jetstream/streams';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { natsServerBinary } from '../nats/binary.js';
import { freePort } from '../ports.js';
import { repositoryRoot } from '../repository.js';
import { prepareSecrets, type ProvisionPlan } from './secrets.js';

/** The servers of docker-compose.yml by their own files; only hosts, ports and folders are of this machine. */
const hosts = ['nats-1', 'nats-2', 'nats-3'] as const;
const known = getCACertificates('default');
const folder = mkdtempSync(join(tmpdir(), 'astro-compose-nats-'));
const secrets = join(folder, 'made');
const servers: ChildProcess[] = [];
let bus: Bus;
let urls: { readonly tls: string; readonly wss: string };

beforeAll(async () => {
  await prepareSecrets(secrets);
  const binary = await natsServerBinary();
  const ports = new Map<string, number>();
  const portOf = async (place: string) => {
    if (!ports.has(place)) ports.set(place, await freePort());
    return ports.get(place)!;
  };
  const start = async (name: string, file: string) => {
    const root = join(folder, name);
    mkdirSync(join(root, 'etc/nats'), { recursive: true });
    mkdirSync(join(root, 'data'));
    cpSync(join(secrets, file === 'agents.conf' ? 'nats-agents' : 'nats'), join(root, 'secrets'), {
      recursive: true,
    });
    cpSync(join(secrets, 'nats-agents-tls'), join(root, 'tls'), { recursive: true });
    const here = async (text: string) => {
      let placed = text.replaceAll(/"\/(data|secrets|tls)/g, `"${root}/$1`);
      for (const [place, host, port] of text.matchAll(/(0\.0\.0\.0|nats-\d):(\d+)/g))
        placed = placed.replace(
          place,
          `127.0.0.1:${await portOf(`${host === '0.0.0.0' ? name : host}:${port}`)}`,
        );
      return placed;
    };
    const included = join(root, 'secrets', file === 'agents.conf' ? 'leaf.conf' : 'nats-accounts.conf');
    writeFileSync(included, await here(readFileSync(included, 'utf8')));
    const config = join(root, 'etc/nats', file);
    writeFileSync(config, await here(readFileSync(join(repositoryRoot, 'deploy/nats', file), 'utf8')));
    servers.push(spawn(binary, ['--config', config, '--name', name], { stdio: 'ignore' }));
  };
  for (const name of hosts) await start(name, 'cluster.conf');
  await start('nats-agents', 'agents.conf');
  urls = {
    tls: `tls://localhost:${await portOf('nats-agents:4222')}`,
    wss: `wss://localhost:${await portOf('nats-agents:8443')}`,
  };
  const plan = JSON.parse(readFileSync(join(secrets, 'provision/provision.json'), 'utf8')) as ProvisionPlan;
  const storing = await Promise.all(hosts.map(async host => `127.0.0.1:${await portOf(`${host}:4222`)}`));
  bus = await until(() =>
    Bus.connect({ servers: storing.join(','), name: 'spec', credentials: plan.natsCredentials }),
  );
  await until(() => ensureStreams(bus, { replicas: plan.natsReplicas }));
}, 120_000);

afterAll(async () => {
  setDefaultCACertificates(known);
  await bus?.close();
  await Promise.all(
    servers.map(async server => {
      server.kill('SIGKILL');
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
    }),
  );
  rmSync(folder, { recursive: true });
}, 60_000);

test.each(['tls', 'wss'] as const)(
  'an agent that trusts the certificate of the installation reports over %s',
  async transport => {
    setDefaultCACertificates([...known, readFileSync(join(secrets, 'agents-trust/ca.crt'), 'utf8')]);
    const { nodeId, link } = await connect(urls[transport]);
    await link.report('DesiredStateWanted', { revision: 0 });
    const subject = `agent.${nodeId}.DesiredStateWanted`;
    const stored = await bus.jsm.streams.getMessage('AGENT_REPORTS', { last_by_subj: subject });
    expect(stored?.subject).toBe(subject);
    await link.close();
  },
  30_000,
);

test.each(['tls', 'wss'] as const)('an agent that does not is told nothing over %s', async transport => {
  setDefaultCACertificates(known);
  await expect(connect(urls[transport])).rejects.toThrow();
});

async function connect(server: string) {
  const [nodeId, seed32] = [newId('node'), randomBytes(32)];
  const secretOf = (name: string) => readFileSync(join(secrets, 'gateway', name), 'utf8');
  const jwt = issueAgentJwt({
    accountPublicKey: secretOf('agent-account-public-key'),
    signingSeed: secretOf('agent-signing-seed'),
    nodeId,
    userPublicKey: agentKeyPair(seed32).publicKey,
    ttlSeconds: 600,
  });
  const access = () => ({ jwt, seed32 });
  return { nodeId, link: await AgentLink.connect({ servers: server, nodeId, access, name: 'spec' }) };
}

/** Servers of a cluster take a while to find each other and to agree on who leads. */
async function until<T>(act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (error) {
      if (attempt === 40) throw error;
      await new Promise(resolve => setTimeout(resolve, 500));
    }
  }
}
