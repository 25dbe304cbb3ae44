import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HealthChecks } from '@astro/runtime/health';
import { logFor } from '@astro/runtime/logging';
import {
  type DynamicModule,
  Inject,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type Provider,
} from '@nestjs/common';
import { ContentCache } from './content/content-cache.js';
import { Content } from './content/content.js';
import { EndpointDesk } from './endpoint/endpoint-desk.js';
import { Enrolment } from './enrol/enrolment.js';
import { GatewayClient } from './gateway/gateway-client.js';
import { openIdentity } from './identity/identity.js';
import { NODE_AGENT_CONFIG, type NodeAgentConfig } from './node-agent.config.js';
import { NodeAgent } from './node-agent.js';
import { HardwareWatch, type Look } from './probe/hardware-watch.js';
import { diskFreeMib, type Machine, probeAccelerators } from './probe/machine.js';
import { missingDevices, offerOf } from './probe/offer.js';
import { LeaseJournal } from './reconcile/lease-journal.js';
import { Reconciler } from './reconcile/reconciler.js';
import { runtimesOf } from './runtime/allowed-runtimes.js';
import { OfferedRuntimes } from './runtime/offered-runtimes.js';
import type { TaskRunner } from './runtime/task-runtime.js';

const BYTES_PER_MIB = 1024 * 1024;

export type NodeAgentOverrides = {
  /** Another runner in place of the agent's own, which it is given and may use. */
  readonly runtime?: (own: TaskRunner) => TaskRunner;
};

/** Starts and stops with the process what the providers below have put together. */
@Injectable()
class AgentLife implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(NodeAgent) private readonly agent: NodeAgent,
    @Inject(GatewayClient) private readonly gateway: GatewayClient,
    @Inject(OfferedRuntimes) private readonly runtimes: OfferedRuntimes,
    @Inject(HealthChecks) private readonly health: HealthChecks,
  ) {}

  onApplicationBootstrap(): void {
    this.health.register('agent', () => this.agent.missing);
    this.agent.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.agent.stop();
    await this.runtimes.close();
    this.gateway.close();
  }
}

const agentOn = (machine: Machine, runnerOf: (own: TaskRunner) => TaskRunner): Provider => ({
  provide: NodeAgent,
  inject: [NODE_AGENT_CONFIG, GatewayClient, OfferedRuntimes],
  useFactory: async (config: NodeAgentConfig, gateway: GatewayClient, runtimes: OfferedRuntimes) => {
    const stateDir = config.AGENT_STATE_DIR;
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const runtime = runnerOf(runtimes);
    const identity = await openIdentity(stateDir);
    const lookAt = async (here: Machine): Promise<Look> => ({
      offer: offerOf(
        here,
        config,
        { diskFreeMib: await diskFreeMib(stateDir), runtimes: runtimes.names },
        new Date(),
      ),
      problems: [...here.problems, ...missingDevices(here, config)],
    });
    const first = await lookAt(machine);
    const lookAgain = async () => lookAt({ ...machine, ...(await probeAccelerators()) });
    const hardware = new HardwareWatch(first, lookAgain, logFor('hardware'));
    const { offer } = first;
    const { ATTESTATION: attestationClaimed } = config;
    const enrolment = new Enrolment(gateway, identity, { stateDir, operatorKey: config.OPERATOR_KEY, offer });
    const cache = await ContentCache.open(
      join(stateDir, 'content'),
      config.CONTENT_CACHE_MIB * BYTES_PER_MIB,
    );
    const endpoints = new EndpointDesk();
    const journal = await LeaseJournal.open(join(stateDir, 'leases'));
    const tasksMax = Math.ceil(config.OFFER_CPU_MILLIS / 1000);
    return new NodeAgent({
      config,
      identity,
      enrolment,
      hardware,
      endpoints,
      log: logFor('agent'),
      reconcilerFor: (nodeId, report) => {
        const content = new Content(gateway, cache, () => enrolment.token(nodeId));
        const log = logFor('reconciler');
        const own = { journal, content, runtime, endpoints, tasksMax, attestationClaimed };
        return new Reconciler({ ...own, report, log });
      },
    });
  },
});

@Module({})
export class NodeAgentModule {
  static with(
    config: NodeAgentConfig,
    machine: Machine,
    { runtime = own => own }: NodeAgentOverrides = {},
  ): DynamicModule {
    return {
      module: NodeAgentModule,
      providers: [
        { provide: NODE_AGENT_CONFIG, useValue: config },
        { provide: GatewayClient, useFactory: () => new GatewayClient(config.GATEWAY_URL) },
        {
          provide: OfferedRuntimes,
          useFactory: () => OfferedRuntimes.probe(runtimesOf(config, machine), logFor('runtimes')),
        },
        agentOn(machine, runtime),
        AgentLife,
      ],
    };
  }
}
