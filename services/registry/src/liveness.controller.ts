import { performance } from 'node:perf_hooks';
import { derivedId } from '@astro/event-sourcing/ids';
import { CommandBus } from '@astro/jetstream/command-bus';
import { JetStreamContext } from '@astro/jetstream/server';
import type { Heartbeat } from '@astro/messages/agent';
import type { NodeCommand } from '@astro/messages/registry';
import { Node } from '@astro/read-models/registry/nodes';
import { MikroORM } from '@mikro-orm/postgresql';
import {
  Controller,
  Inject,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
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

/** Turns heartbeats and their absence into commands. */
@Controller()
export class LivenessController implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #log = new Logger(LivenessController.name);
  readonly #presence = new Presence();
  readonly #strangers = new LRUCache<string, true>({ max: MAX_STRANGERS });
  #timer: NodeJS.Timeout | undefined;
  #sweep: Promise<void> | undefined;

  constructor(
    private readonly commands: CommandBus,
    private readonly orm: MikroORM,
    @Inject(registryConfigToken) private readonly config: RegistryConfig,
  ) {}

  @EventPattern<string>('telemetry.*.Heartbeat')
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
    const everyMs = this.config.HEARTBEAT_TIMEOUT_MS / SWEEPS_PER_TIMEOUT;
    this.#timer = setInterval(() => this.#startSweep(), everyMs);
    this.#startSweep();
  }

  /** Before the connections are closed: a sweep that has begun ends. */
  async onModuleDestroy(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweep;
  }

  #startSweep(): void {
    this.#sweep ??= this.#sweepOnce()
      .catch((error: unknown) => this.#log.error(error))
      .finally(() => (this.#sweep = undefined));
  }

  async #sweepOnce(): Promise<void> {
    const online = await this.orm.em.fork().find(Node, { status: 'online' }, { fields: ['nodeId'] });
    const now = { lastSeenAt: new Date(), heardMs: performance.now() };
    const nodeIds = online.map(({ nodeId }) => nodeId);
    this.#presence.reconcile(nodeIds, now);
    const silent = this.#presence.silentSince(now.heardMs - this.config.HEARTBEAT_TIMEOUT_MS);
    for (const sighting of silent) await this.#markOffline(sighting);
  }

  /** Forgotten only once the command is durable, so that coming online again is always ordered behind it. */
  async #markOffline({ nodeId, lastSeenAt }: Sighting): Promise<void> {
    const id = derivedId('cmd', 'MarkNodeOffline', nodeId, lastSeenAt.getTime());
    const command: NodeCommand = { type: 'MarkNodeOffline', data: { nodeId, lastSeenAt } };
    await this.commands.send(
      { to: { type: 'registry.node', id: nodeId }, ...command },
      { id, metadata: { correlationId: id, causationId: id, actor } },
    );
    this.#presence.forget(nodeId);
  }

  #refused(nodeId: string, rejection: string): void {
    if (this.#strangers.has(nodeId)) return;
    this.#strangers.set(nodeId, true);
    this.#log.warn(`heartbeats of ${nodeId} are ignored: ${rejection}`);
  }
}
