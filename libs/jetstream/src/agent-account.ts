import { catalogue } from '@astro/messages/catalogue';
import type { Account, Export, Import, UserPermissionsLimits } from '@nats-io/jwt';
import { answerSubject, endpointSubject } from './exchange-subjects.js';
import { assertToken } from './subjects.js';

/** What one agent may hold open and send; a report is far smaller. */
const AGENT_SUBSCRIPTIONS = 10;
const AGENT_PAYLOAD_BYTES = 256 * 1024;
const AGENT_CONNECTIONS = 100_000;
export const UNLIMITED = -1;

/** What agents say, each by name, so that whatever else is published beside it goes nowhere. */
const saidByAgents: readonly string[] = catalogue.flatMap(({ kind, name }) => {
  if (kind === 'report') return [`agent.*.${name}`];
  return kind === 'telemetry' ? [`telemetry.*.${name}`] : [];
});
/** Lists that the platform keeps for each node. */
const LISTS = ['agent.*.desired', 'agent.*.audits'] as const;
/** Frames of requests to servers on nodes, and of their answers. */
const ASKED = endpointSubject('*', '*', '*');
const ANSWERED = answerSubject('*', '*', '*');

/** The inbox prefix that an agent's scope allows. */
export const agentInbox = (nodeId: string): string => `_INBOX_${assertToken(nodeId)}`;

/**
 * Subjects of an agent, where the server puts the name of the agent's own JWT: it cannot even name another
 * node's. The answers to its publishing come to an inbox prefix of its own, so that it cannot listen to
 * anybody else's.
 */
export const agentScope: Partial<UserPermissionsLimits> = {
  pub: { allow: [...saidByAgents, ANSWERED].map(ofTheAgent) },
  sub: { allow: [...[...LISTS, ASKED].map(ofTheAgent), '_INBOX_{{name()}}.>'] },
  subs: AGENT_SUBSCRIPTIONS,
  payload: AGENT_PAYLOAD_BYTES,
  data: UNLIMITED,
  bearer_token: false,
  allowed_connection_types: ['STANDARD', 'WEBSOCKET'],
};

function ofTheAgent(subject: string): string {
  return subject.replace('*', '{{name()}}');
}

/**
 * What the platform's account offers to the agents'. Reports are services and no streams, for the answer that a report
 * is stored must find its way back; it can go nowhere but to who asked.
 */
export const exportsToAgents: readonly Export[] = [
  ...[...saidByAgents, ANSWERED].map(subject => ({ name: subject, subject, type: 'service' as const })),
  ...LISTS.map(subject => ({ name: subject, subject, type: 'stream' as const })),
];

/** Of the agents' account: a service, so that the server tells who asks a node that nobody hears. */
export const exportsOfAgents: readonly Export[] = [{ name: ASKED, subject: ASKED, type: 'service' }];

/** What one account takes from the other of what that exports. */
export const importsOf = (account: string, exported: readonly Export[]): readonly Import[] =>
  exported.map(({ name, subject, type }) => ({
    name,
    subject,
    type,
    account,
    // A service is asked for under the same subject as it is answered under.
    ...(type === 'service' && { local_subject: subject }),
  }));

/** An account that reaches what it imports and nothing else: it exports requests alone, and has no JetStream. */
export const agentAccountLimits: Account['limits'] = {
  subs: AGENT_SUBSCRIPTIONS,
  data: UNLIMITED,
  payload: AGENT_PAYLOAD_BYTES,
  imports: exportsToAgents.length,
  exports: exportsOfAgents.length,
  wildcards: true,
  conn: AGENT_CONNECTIONS,
  leaf: 0,
  ...jetStream(0),
};

/** An account with `storage` for JetStream: all, or none. */
export const platformLimits: Account['limits'] = { ...limitsBut(UNLIMITED) };
export const systemLimits: Account['limits'] = { ...limitsBut(0) };

function limitsBut(storage: number): Account['limits'] {
  return {
    subs: UNLIMITED,
    data: UNLIMITED,
    payload: UNLIMITED,
    imports: UNLIMITED,
    exports: UNLIMITED,
    wildcards: true,
    conn: UNLIMITED,
    leaf: UNLIMITED,
    ...jetStream(storage),
  };
}

function jetStream(storage: number) {
  return { mem_storage: storage, disk_storage: storage, streams: storage, consumer: storage };
}
