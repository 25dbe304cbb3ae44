import { performance } from 'node:perf_hooks';
import { derivedId } from '@astro/event-sourcing/ids';
import { CommandBus } from '@astro/jetstream/command-bus';
import type { Fence } from '@astro/jetstream/fence';
import { JetStreamContext, unitOf } from '@astro/jetstream/server';
import { SharedWork, type Part } from '@astro/jetstream/shared-work';
import type { Heartbeat } from '@astro/messages/agent';
import type { NodeCommand } from '@astro/messages/registry';
import { Node } from '@astro/read-models/registry/nodes';
import { MikroORM } from '@mikro-orm/postgresql';
import { Controller, Inject, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { LRUCache } from 'lru-cache';
import { Presence, type Sighting } from './node/presence.js';
import { registryConfigToken, type RegistryConfig } from './registry.config.js';

/** How long a heartbeat waits to hear whether its node may come online; the next one asks again. */
const OUTCOME_TIMEOUT_MS = 5_000;
/** A silent node is found at most this part of the time-out late. */
const SWEEPS_PER_TIMEOUT = 4;
/** Strangers remembered, so that each is logged once; the least recent is logged again. */
const MAX_STRANGERS = 1_000;

const actor = 'service:registry';
const heartbeats = 'telemetry.*.Heartbeat';

/**
 * Turns heartbeats and their absence into commands. Who hears the heartbeats sweeps: of several processes one does
 * both, and the next one starts from the read model, as after a restart.
 */
@Controller()
export class LivenessController implements OnApplicationBootstrap {
  readonly #log = new Logger(LivenessController.name);
  readonly #strangers = new LRUCache<string, true>({ max: MAX_STRANGERS });
  #presence = new Presence();

  constructor(
    private readonly work: SharedWork,
    private readonly commands: CommandBus,
    private readonly orm: MikroORM,
    @Inject(registryConfigToken) private readonly config: RegistryConfig,
  ) {}

  @EventPattern<string>(heartbeats)
  async heartbeat(@Payload() _heartbeat: Heartbeat, @Ctx() context: JetStreamContext): Promise<void> {
    const nodeId = context.tokens[1]!;
    const sighting = { nodeId, lastSeenAt: context.recordedAt, heardMs: performance.now() };
    if (this.#presence.heard(sighting)) return;
    // The position makes each coming online a command of its own: two that share an id would count as one.
    const id = derivedId('cmd', 'MarkNodeOnline', nodeId, context.position);
    const command: NodeCommand = { type: 'MarkNodeOnline', data: { nodeId } };
    const outcome = await this.commands.request(
      { to: { type: 'registry.node', id: nodeId }, ...command },
      { id, metadata: { correlationId: id, causationId: id, actor }, timeoutMs: OUTCOME_TIMEOUT_MS },
    );
    // An outcome that is not known in time is taken for good; a sweep corrects it.
    if (outcome?.accepted === false) this.#refused(nodeId, outcome.rejection);
    else this.#presence.announced(sighting);
  }

  onApplicationBootstrap(): void {
    this.work.accompany(unitOf('registry', heartbeats), fence => this.#sweeps(fence));
  }

  /** A silence is told from what this process has heard itself, so each turn of its own begins without memories. */
  #sweeps(fence: Fence): Part {
    const presence = new Presence();
    this.#presence = presence;
    let running: Promise<void> | undefined;
    let timer: NodeJS.Timeout | undefined;
    const sweep = () => {
      running ??= this.#sweep(presence, fence)
        .catch((error: unknown) => this.#log.error(error))
        .finally(() => (running = undefined));
    };
    return {
      healthy: true,
      start: async () => {
        timer = setInterval(sweep, this.config.HEARTBEAT_TIMEOUT_MS / SWEEPS_PER_TIMEOUT);
        sweep();
      },
      /** Before the connections are closed: a sweep that has begun ends. */
      stop: async () => {
        clearInterval(timer);
        await running;
      },
    };
  }

  async #sweep(presence: Presence, fence: Fence): Promise<void> {
    const online = await this.orm.em.fork().find(Node, { status: 'online' }, { fields: ['nodeId'] });
    const now = { lastSeenAt: new Date(), heardMs: performance.now() };
    const nodeIds = online.map(({ nodeId }) => nodeId);
    presence.reconcile(nodeIds, now);
    for (const sighting of presence.silentSince(now.heardMs - this.config.HEARTBEAT_TIMEOUT_MS)) {
      // Another process hears the heartbeats by now.
      if (!fence.isHeld) return;
      await this.#markOffline(presence, sighting);
    }
  }

  /** Forgotten only once the command is durable, so that coming online again is always ordered behind it. */
  async #markOffline(presence: Presence, { nodeId, lastSeenAt }: Sighting): Promise<void> {
    const id = derivedId('cmd', 'MarkNodeOffline', nodeId, lastSeenAt.getTime());
    const command: NodeCommand = { type: 'MarkNodeOffline', data: { nodeId, lastSeenAt } };
    await this.commands.send(
      { to: { type: 'registry.node', id: nodeId }, ...command },
      { id, metadata: { correlationId: id, causationId: id, actor } },
    );
    presence.forget(nodeId);
  }

  #refused(nodeId: string, rejection: string): void {
    if (this.#strangers.has(nodeId)) return;
    this.#strangers.set(nodeId, true);
    this.#log.warn(`heartbeats of ${nodeId} are ignored: ${rejection}`);
  }
}
