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
import { Enrolment } from './enrol/enrolment.js';
import { GatewayClient } from './gateway/gateway-client.js';
import { openIdentity } from './identity/identity.js';
import { NODE_AGENT_CONFIG, type NodeAgentConfig } from './node-agent.config.js';
import { NodeAgent } from './node-agent.js';
import { diskFreeMib, type Machine } from './probe/machine.js';
import { inventoryOf } from './probe/offer.js';
import { LeaseJournal } from './reconcile/lease-journal.js';
import { Reconciler } from './reconcile/reconciler.js';
import { TASK_RUNTIME, type TaskRuntime } from './runtime/task-runtime.js';
import { WasmRuntime } from './runtime/wasm-runtime.js';

const BYTES_PER_MIB = 1024 * 1024;

export type NodeAgentOverrides = {
  /** Another runtime in place of the agent's own, which it is given and may use. */
  readonly runtime?: (wasm: TaskRuntime) => TaskRuntime;
};

/** Starts and stops with the process what the providers below have put together. */
@Injectable()
class AgentLife implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(NodeAgent) private readonly agent: NodeAgent,
    @Inject(GatewayClient) private readonly gateway: GatewayClient,
    @Inject(WasmRuntime) private readonly wasm: WasmRuntime,
    @Inject(HealthChecks) private readonly health: HealthChecks,
  ) {}

  onApplicationBootstrap(): void {
    this.health.register('agent', () => this.agent.missing);
    this.wasm.warm();
    this.agent.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.agent.stop();
    await this.wasm.close();
    this.gateway.close();
  }
}

const agentOn = (machine: Machine): Provider => ({
  provide: NodeAgent,
  inject: [NODE_AGENT_CONFIG, GatewayClient, TASK_RUNTIME],
  useFactory: async (config: NodeAgentConfig, gateway: GatewayClient, runtime: TaskRuntime) => {
    const stateDir = config.AGENT_STATE_DIR;
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const inventory = inventoryOf(machine, config, await diskFreeMib(stateDir));
    const identity = await openIdentity(stateDir);
    const { ATTESTATION: attestationClaimed, INTERRUPTIBLE_PRICE_PER_SECOND_ATTO: interruptible } = config;
    const { PRICE_PER_GIB_TRANSFERRED_ATTO: perGib } = config;
    const offer = {
      region: config.REGION,
      inventory,
      pricePerSecondAtto: config.PRICE_PER_SECOND_ATTO,
      ...(interruptible && { interruptiblePricePerSecondAtto: interruptible }),
      ...(perGib && { pricePerGibTransferredAtto: perGib }),
      ...(attestationClaimed && { attestationClaimed }),
    };
    const enrolment = new Enrolment(gateway, identity, { stateDir, operatorKey: config.OPERATOR_KEY, offer });
    const cache = await ContentCache.open(
      join(stateDir, 'content'),
      config.CONTENT_CACHE_MIB * BYTES_PER_MIB,
    );
    const journal = await LeaseJournal.open(join(stateDir, 'leases'));
    const tasksMax = Math.ceil(config.OFFER_CPU_MILLIS / 1000);
    return new NodeAgent({
      config,
      identity,
      enrolment,
      log: logFor('agent'),
      reconcilerFor: (nodeId, report) => {
        const content = new Content(gateway, cache, () => enrolment.token(nodeId));
        const log = logFor('reconciler');
        return new Reconciler({ journal, content, runtime, tasksMax, attestationClaimed, report, log });
      },
    });
  },
});

@Module({})
export class NodeAgentModule {
  static with(
    config: NodeAgentConfig,
    machine: Machine,
    { runtime = wasm => wasm }: NodeAgentOverrides = {},
  ): DynamicModule {
    return {
      module: NodeAgentModule,
      providers: [
        { provide: NODE_AGENT_CONFIG, useValue: config },
        { provide: GatewayClient, useFactory: () => new GatewayClient(config.GATEWAY_URL) },
        WasmRuntime,
        { provide: TASK_RUNTIME, inject: [WasmRuntime], useFactory: runtime },
        agentOn(machine),
        AgentLife,
      ],
    };
  }
}
