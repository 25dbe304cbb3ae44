import { mkdir } from 'node:fs/promises';
import { AgentLink } from '@astro/jetstream/agent-link';
import { readConfig } from '@astro/runtime/config';
import type { Credentials } from '../enrol/credentials.js';
import { AgeIdentities } from '../encryption/age-identities.js';
import { Enrolment } from '../enrol/enrolment.js';
import { GatewayClient } from '../gateway/gateway-client.js';
import { NodeKey } from '../identity/node-key.js';
import { trustCertificatesOf } from '../gateway/trust.js';
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
  if (config.NATS_CA) await trustCertificatesOf(config.NATS_CA);
  const key = await NodeKey.open(stateDir);
  const gateway = new GatewayClient(config.GATEWAY_URL);
  try {
    const runtimes = namesOf(await tryRuntimes(config, machine));
    const { recipient: encryptionRecipient } = await AgeIdentities.open(stateDir);
    const found = { diskFreeMib: await diskFreeMib(stateDir), runtimes, encryptionRecipient };
    const offer = offerOf(machine, config, found, new Date());
    const enrolment = new Enrolment(gateway, key, { stateDir, operatorKey: config.OPERATOR_KEY, offer });
    const { signal } = new AbortController();
    await enrolment.finishRotation(signal);
    const known = await enrolment.enrolledAs();
    const { nodeId, credentials } =
      known === undefined
        ? await enrolment.enrol(signal)
        : { nodeId: known, credentials: await enrolment.renew(known, signal) };
    await connectOnce({ nodeId, key, credentials });
    const { servers } = credentials;
    return { nodeId, publicKey: key.current.publicKey, isNew: known === undefined, servers };
  } finally {
    gateway.close();
  }
}

type Login = { readonly nodeId: string; readonly key: NodeKey; readonly credentials: Credentials };

/** @throws Error when no server answers, or the credentials are refused */
export async function connectOnce({ nodeId, key, credentials }: Login): Promise<void> {
  const link = await AgentLink.connect({
    servers: credentials.servers.join(','),
    nodeId,
    access: () => ({ jwt: credentials.jwt, seed32: key.current.seed32 }),
    name: 'doctor',
  });
  await link.close();
}
