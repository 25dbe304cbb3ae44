import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { newId } from '@astro/event-sourcing/ids';
import { catalogue } from '@astro/messages/catalogue';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Account, User } from '@nats-io/jwt';
import { connect, jwtAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { agentInbox } from './agent-account.js';
import { Bus } from './bus.js';
import { claimsIn, sign } from './claims.js';
import { agentKeyPair, issueAgentJwt } from './credentials.js';
import { delay } from './delay.js';
import { DesiredStates } from './desired-state.js';
import { generateOperatorKit, serviceCredentials, type OperatorKit } from './operator-kit.js';
import { newSigner, signerOf, type Signer } from './signer.js';
import { ensureStreams } from './streams.js';

/** Signs users of the agents' account whom nothing limits: what a mistake in the template would make of agents. */
const carelessSigner = newSigner('account');
const kit = withSigner(generateOperatorKit(), carelessSigner);
const [own, other] = [newId('node'), newId('node')];

let dir: string;
let server: NatsServer;
let bus: Bus;
let streams: readonly string[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-containment-'));
  server = await startNats({ dir, kit });
  const credentials = serviceCredentials(kit, 'spec');
  bus = await Bus.connect({ servers: server.url, name: 'containment-spec', credentials });
  await ensureStreams(bus);
  streams = (await bus.jsm.streams.names().next()).sort();
}, 120_000);

afterAll(async () => {
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

/** Every subject that the platform uses for something, as far as it is not the node's own to say. */
function subjectsOfOthers(): readonly string[] {
  const messages = catalogue.flatMap(({ kind, context, aggregate, name }) => {
    if (kind === 'report') return [`agent.${other}.${name}`];
    if (kind === 'telemetry') return [`telemetry.${other}.${name}`];
    const root = kind === 'event' ? 'evt' : 'cmd';
    return kind === 'event' || kind === 'command' ? [`${root}.${context}.${aggregate}.x1.${name}`] : [];
  });
  const ofStreams = streams.flatMap(stream => [
    ...['INFO', 'CREATE', 'UPDATE', 'DELETE', 'PURGE', 'SNAPSHOT', 'RESTORE', 'MSG.GET', 'MSG.DELETE'].map(
      request => `$JS.API.STREAM.${request}.${stream}`,
    ),
    ...['CREATE', 'NAMES', 'LIST'].map(request => `$JS.API.CONSUMER.${request}.${stream}`),
    ...['INFO', 'DELETE', 'MSG.NEXT', 'PAUSE'].map(request => `$JS.API.CONSUMER.${request}.${stream}.c1`),
    `$JS.API.DIRECT.GET.${stream}`,
    `$JS.ACK.${stream}.c1.1.1.1.1.0`,
  ]);
  const ofBuckets = streams.flatMap(stream => {
    const bucket = /^KV_(.+)$/.exec(stream)?.[1];
    return bucket === undefined ? [] : [`$KV.${bucket}.${own}`, `$KV.${bucket}.${other}`];
  });
  return [
    ...messages,
    ...ofStreams,
    ...ofBuckets,
    ...lists.flatMap(list => [`agent.${own}.${list}`, `agent.${other}.${list}`]),
    `agent.${own}.Unheard`,
    `telemetry.${own}.Unheard`,
    `endpoint.${other}.gateway_1.exchange_1`,
    `answer.${other}.gateway_1.exchange_1`,
    ...['out.gateway.c1', 'dlq.x', 'audit.x', 'snapshot.x'],
    ...['$JS.API.INFO', '$JS.API.STREAM.NAMES', '$JS.API.STREAM.LIST', '$JS.FC.x', '$JS.EVENT.ADVISORY.x'],
    ...[
      '$SYS.REQ.SERVER.PING',
      '$SYS.REQ.CLAIMS.UPDATE',
      '$SYS.REQ.ACCOUNT.PING.CONNZ',
      '$SYS.REQ.USER.INFO',
    ],
    `$SYS.REQ.ACCOUNT.${kit.accountPublicKey}.CLAIMS.UPDATE`,
    ...['_INBOX.x.1', '_R_.x', `${agentInbox(other)}.1`],
  ];
}

/** What the platform keeps for each node, and it hears of its own. */
const lists = ['desired', 'audits'];

const wildcards = [
  ...['>', '*', '*.>', 'agent.>', 'agent.*.desired', `agent.${other}.>`, `agent.${own}.>`, 'telemetry.>'],
  ...['endpoint.>', `endpoint.${other}.*.*`, 'answer.>', `answer.${own}.*.*`],
  ...['evt.>', 'cmd.>', 'out.>', 'dlq.>', 'audit.>', 'snapshot.>'],
  ...['$KV.>', '$JS.>', '$JS.API.>', '$JS.ACK.>', '$SYS.>', '_INBOX.>', '_R_.>', `${agentInbox(other)}.>`],
];

describe('an agent is confined to what is its own', () => {
  let agent: NatsConnection;
  const refused = { publish: new Set<string>(), subscription: new Set<string>() };

  beforeAll(async () => {
    const seed32 = randomBytes(32);
    const { publicKey, seed } = agentKeyPair(seed32);
    const jwt = issueAgentJwt({
      accountPublicKey: kit.agentAccountPublicKey,
      signingSeed: kit.agentSigningSeed,
      nodeId: own,
      userPublicKey: publicKey,
      ttlSeconds: 600,
    });
    const authenticator = jwtAuthenticator(jwt, seed);
    agent = await connect({ servers: server.url, authenticator, inboxPrefix: agentInbox(own) });
    void (async () => {
      for await (const status of agent.status()) {
        const [, operation, subject] =
          status.type === 'error' ? (/for (\w+) to "(.+?)"/i.exec(status.error.message) ?? []) : [];
        if (operation && subject) refused[operation.toLowerCase() as keyof typeof refused].add(subject);
      }
    })();
  });

  afterAll(() => agent.close());

  test('it says and hears what is its own', async () => {
    for (const { kind, name } of catalogue) {
      if (kind === 'report')
        expect((await agent.request(`agent.${own}.${name}`)).json()).toHaveProperty('seq');
    }
    const heard = new Promise<string>(resolve => {
      agent.subscribe(`agent.${own}.desired`, { callback: (_, { subject }) => resolve(subject) });
    });
    await agent.flush();
    await new DesiredStates(bus).put({ nodeId: own, assignments: [] }, 1);
    expect(await heard).toBe(`agent.${own}.desired`);
    expect([...refused.publish, ...refused.subscription]).toEqual([]);
  });

  test('it can publish none of the subjects of others', async () => {
    const subjects = subjectsOfOthers();
    expect(subjects.length).toBeGreaterThan(400);
    for (const subject of subjects) agent.publish(subject);
    await agent.flush();
    await settled(() => refused.publish.size === subjects.length);
    expect(subjects.filter(subject => !refused.publish.has(subject))).toEqual([]);
  });

  test('it can hear none of the subjects of others', async () => {
    const subjects = [...subjectsOfOthers(), ...wildcards].filter(
      subject => !lists.some(list => subject === `agent.${own}.${list}`),
    );
    const denied = subjects.map(
      subject =>
        new Promise<string | undefined>(resolve => {
          const callback = (error: Error | null) =>
            resolve(error && /permissions violation/i.test(error.message) ? undefined : subject);
          agent.subscribe(subject, { callback });
          void agent.flush().then(() => setTimeout(() => resolve(subject), 2_000).unref());
        }),
    );
    expect((await Promise.all(denied)).filter(subject => subject !== undefined)).toEqual([]);
  }, 30_000);

  test('it cannot have the answer to a report put where others read', async () => {
    const subjects = ['cmd.billing.account.t1.CreditAccount', 'out.gateway.c1', 'dlq.x', '$KV.desired.x'];
    const before = await lastSequences();
    const heard: string[] = [];
    const listening = subjects.map(subject =>
      bus.connection.subscribe(subject, { callback: () => void heard.push(subject) }),
    );
    await bus.connection.flush();
    for (const reply of subjects) agent.publish(`agent.${own}.DesiredStateWanted`, '', { reply });
    await agent.request(`agent.${own}.DesiredStateWanted`);
    expect(heard).toEqual([]);
    const reports = subjects.length + 1;
    expect(await lastSequences()).toEqual({
      ...before,
      AGENT_REPORTS: before['AGENT_REPORTS']! + reports,
    });
    for (const subscription of listening) subscription.unsubscribe();
  });
});

describe('a mistake in the agents’ template exposes nothing of the platform', () => {
  let anybody: NatsConnection;

  beforeAll(async () => {
    const user = newSigner('user');
    const jwt = sign<User>({
      ...{ signer: carelessSigner, subject: user.publicKey, name: 'anybody', type: 'user' },
      nats: { issuer_account: kit.agentAccountPublicKey, subs: -1, data: -1, payload: -1 },
    });
    const authenticator = jwtAuthenticator(jwt, new TextEncoder().encode(user.seed));
    anybody = await connect({ servers: server.url, authenticator, ignoreAuthErrorAbort: true });
  });

  afterAll(() => anybody.close());

  test('what the platform says is not heard in the agents’ account, but for lists and requests', async () => {
    const heard: string[] = [];
    anybody.subscribe('>', { callback: (_, { subject }) => void heard.push(subject) });
    await anybody.flush();
    const subjects = subjectsOfOthers().filter(subject => !subject.startsWith('$'));
    for (const subject of subjects) bus.connection.publish(subject);
    await bus.connection.flush();
    await new DesiredStates(bus).put({ nodeId: other, assignments: [] }, 1);
    await settled(() => heard.filter(subject => subject === `agent.${other}.desired`).length >= 2);
    const request = `endpoint.${other}.gateway_1.exchange_1`;
    const told = [own, other].flatMap(nodeId => lists.map(list => `agent.${nodeId}.${list}`));
    expect(new Set(heard)).toEqual(new Set([...told, request]));
  });

  test('nothing but reports, heartbeats and answers reaches the platform from there', async () => {
    const before = await quietSequences();
    const isSaidByAgents = (subject: string) => /^(agent|telemetry)\./.test(subject);
    for (const subject of subjectsOfOthers().filter(subject => !isSaidByAgents(subject)))
      anybody.publish(subject, '{}');
    await anybody.flush();
    await anybody.request(`agent.${own}.DesiredStateWanted`);
    expect(await lastSequences()).toEqual({ ...before, AGENT_REPORTS: before['AGENT_REPORTS']! + 1 });
    expect((await bus.jsm.streams.names().next()).sort()).toEqual(streams);
  });

  test('JetStream answers nobody there', async () => {
    for (const request of ['INFO', 'STREAM.NAMES', 'STREAM.INFO.EVT_BILLING', 'STREAM.MSG.GET.KV_desired']) {
      const answer = await anybody
        .request(`$JS.API.${request}`, '{"last_by_subj":">"}', { timeout: 1_000 })
        .then(
          message => message.json<{ error?: { description: string } }>().error?.description,
          (error: Error) => error.message,
        );
      expect(answer).toMatch(/not enabled|no responders/i);
    }
  });
});

/** Once all that was published before is stored. */
async function quietSequences(): Promise<Record<string, number>> {
  for (;;) {
    const [earlier, later] = [await lastSequences(), await delay(200).then(lastSequences)];
    if (isDeepStrictEqual(earlier, later)) return later;
  }
}

async function lastSequences(): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for await (const { config, state } of bus.jsm.streams.list()) {
    found[config.name] = state.last_seq;
  }
  return found;
}

function withSigner(made: OperatorKit, signer: Signer): OperatorKit {
  const subject = made.agentAccountPublicKey;
  const { name, nats } = claimsIn<Account>(made.accountJwts[subject]!);
  const jwt = sign<Account>({
    ...{ signer: signerOf(made.operatorSeed), subject, name, type: 'account' },
    nats: { ...nats, signing_keys: [...(nats.signing_keys ?? []), signer.publicKey] },
  });
  return { ...made, accountJwts: { ...made.accountJwts, [subject]: jwt } };
}

async function settled(holds: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 300 && !holds(); attempt++)
    await new Promise(resolve => setTimeout(resolve, 10));
}
