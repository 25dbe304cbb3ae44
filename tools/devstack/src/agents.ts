import { join } from 'node:path';
import type { AttestationKind } from '@astro/messages/registry';
import { repositoryRoot } from './repository.js';

export type AgentPlan = {
  /** Unique in a platform; names its state folder, its port and its log lines. */
  readonly name: string;
  /** API key of the operator who runs it. */
  readonly operatorKey: string;
  readonly region: string;
  readonly pricePerSecondAtto: bigint;
  readonly pricePerGibTransferredAtto?: bigint;
  readonly cpuMillis: number;
  readonly memoryMib: number;
  readonly heartbeatMs?: number;
  /** How it says that it can prove what it runs. */
  readonly attestation?: AttestationKind;
  /** Further settings of its configuration. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Another program that speaks the agent's protocol; the node agent itself when it is not given. */
  readonly entry?: string;
};

/** What the platform adds to an agent's plan. */
export type AgentPlace = {
  readonly gatewayUrl: string;
  readonly stateDir: string;
  readonly httpPort: number;
  /** Where other agents get what it holds. */
  readonly contentAddress: string;
  readonly logLevel: string;
};

export const agentEntry = join(repositoryRoot, 'services/node-agent/dist/main.js');

export const agentEnvironment = (plan: AgentPlan, place: AgentPlace): Record<string, string> => ({
  GATEWAY_URL: place.gatewayUrl,
  OPERATOR_KEY: plan.operatorKey,
  AGENT_STATE_DIR: place.stateDir,
  AGENT_NAME: plan.name,
  REGION: plan.region,
  PRICE_PER_SECOND_ATTO: String(plan.pricePerSecondAtto),
  OFFER_CPU_MILLIS: String(plan.cpuMillis),
  OFFER_MEMORY_MIB: String(plan.memoryMib),
  HTTP_HOST: '127.0.0.1',
  HTTP_PORT: String(place.httpPort),
  LOG_LEVEL: place.logLevel,
  CONTENT_LISTEN: place.contentAddress,
  CONTENT_PUBLIC_URL: `http://${place.contentAddress}`,
  // All of them are on this machine or in one private network.
  CONTENT_PRIVATE_ADDRESSES: 'true',
  // The agents of a platform share this machine: each would measure what the others leave of it.
  MEASURE_EVERY_MS: '0',
  ...(plan.pricePerGibTransferredAtto === undefined
    ? {}
    : { PRICE_PER_GIB_TRANSFERRED_ATTO: String(plan.pricePerGibTransferredAtto) }),
  ...(plan.attestation === undefined ? {} : { ATTESTATION: plan.attestation }),
  ...(plan.heartbeatMs === undefined ? {} : { HEARTBEAT_MS: String(plan.heartbeatMs) }),
  ...plan.settings,
});
