import { mkdir } from 'node:fs/promises';
import { AgentLink } from '@astro/jetstream/agent-link';
import { readConfig } from '@astro/runtime/config';
import { Enrolment, type Credentials } from '../enrol/enrolment.js';
import { GatewayClient } from '../gateway/gateway-client.js';
import { openIdentity, type Identity } from '../identity/identity.js';
import type { NodeAgentConfig } from '../node-agent.config.js';
import { diskFreeMib, probeMachine, type Machine } from '../probe/machine.js';
import { configOn, offerOf } from '../probe/offer.js';
import { namesOf, tryRuntimes } from './tried-runtimes.js';

export type Setup = { readonly config: NodeAgentConfig; readonly machine: Machine };

/** The agent's configuration as it would read it here. @throws InvalidConfig */
export async function setUpFrom(settings: NodeJS.ProcessEnv): Promise<Setup> {
  const machine = await probeMachine();
  return { config: readConfig(configOn(machine), settings), machine };
}

export type Joined = {
  readonly nodeId: string;
  readonly publicKey: string;
  readonly isNew: boolean;
  readonly servers: readonly string[];
};

/**
 * Makes the node's key where there is none, enrols the node where it is not, and connects to the bus once. What is
 * done already is not done again.
 */
export async function joinMarket({ config, machine }: Setup): Promise<Joined> {
  const stateDir = config.AGENT_STATE_DIR;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const identity = await openIdentity(stateDir);
  const gateway = new GatewayClient(config.GATEWAY_URL);
  try {
    const runtimes = namesOf(await tryRuntimes(config, machine));
    const found = { diskFreeMib: await diskFreeMib(stateDir), runtimes };
    const offer = offerOf(machine, config, found, new Date());
    const enrolment = new Enrolment(gateway, identity, { stateDir, operatorKey: config.OPERATOR_KEY, offer });
    const known = await enrolment.enrolledAs();
    const { signal } = new AbortController();
    const { nodeId, credentials } =
      known === undefined
        ? await enrolment.enrol(signal)
        : { nodeId: known, credentials: await enrolment.renew(known, signal) };
    await connectOnce({ nodeId, identity, credentials });
    const { servers } = credentials;
    return { nodeId, publicKey: identity.publicKey, isNew: known === undefined, servers };
  } finally {
    gateway.close();
  }
}

type Login = { readonly nodeId: string; readonly identity: Identity; readonly credentials: Credentials };

/** @throws Error when no server answers, or the credentials are refused */
export async function connectOnce({ nodeId, identity, credentials }: Login): Promise<void> {
  const link = await AgentLink.connect({
    servers: credentials.servers.join(','),
    nodeId,
    seed32: identity.seed32,
    jwt: () => credentials.jwt,
    name: 'doctor',
  });
  await link.close();
}
