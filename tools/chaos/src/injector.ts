import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerName } from '@astro/devstack/infrastructure/infrastructure';
import type { Platform } from '@astro/devstack/platform';
import type { Bus } from '@astro/jetstream/bus';
import type { Breach } from './invariants.js';
import { newestOf } from './message-tap.js';
import type { BusProxy } from './bus-proxy.js';
import { describe, type Fault, type PlannedFault } from './plan.js';
import { administer, type Dose } from './poison.js';
import type { DiskProbe } from './disk-probe.js';
import { Random } from './random.js';
import { skewedClock } from './skewed-clock.js';
import type { SmallDisk } from './small-disk.js';

export type Ground = {
  readonly platform: Platform;
  readonly bus: Bus;
  readonly proxy: BusProxy;
  readonly disks: Partial<Record<ServerName, SmallDisk>>;
  readonly probe: DiskProbe;
  readonly say: (line: string) => void;
};

const commandStreams = ['CMD_REGISTRY', 'CMD_SCHEDULING', 'CMD_VERIFICATION', 'CMD_BILLING'] as const;
const poisonAttempts = 5;

/** Does to the platform what the plan says, and takes it back in the end. */
export class Injector {
  readonly doses: Dose[] = [];
  /** How many of each kind were really done. */
  readonly done = new Map<string, number>();
  /** What must not have happened while it struck. */
  readonly breaches: Breach[] = [];
  private readonly busy = new Set<string>();
  private readonly armed = new Set<string>();
  private readonly running: Promise<void>[] = [];

  constructor(private readonly ground: Ground) {}

  /** Resolves when the last fault has begun. */
  async run(plan: readonly PlannedFault[], startedAt: number): Promise<void> {
    for (const [index, planned] of plan.entries()) {
      const waitMs = startedAt + planned.atMs - Date.now();
      if (waitMs > 0) await sleep(waitMs);
      this.running.push(this.strike(planned, index));
    }
  }

  /** Everything runs again, nothing is cut off, paused, full or about to crash. */
  async heal(): Promise<void> {
    await Promise.all(this.running);
    const { platform } = this.ground;
    // Who did not become ready in the midst of other faults was given up, and is down.
    const down = platform.processNames.filter(name => platform.pid(name) === undefined);
    for (const name of new Set([...this.armed, ...down])) await platform.restart(name);
    this.armed.clear();
    for (const name of platform.processNames) await platform.untilReady(name);
  }

  /** What cannot be done just now, because its target is down already, is left out and said. */
  private async strike(planned: PlannedFault, index: number): Promise<void> {
    const { say } = this.ground;
    const { fault } = planned;
    const target = 'target' in fault ? fault.target : 'server' in fault ? fault.server : undefined;
    if (target !== undefined && this.busy.has(target)) return say(`left out, busy: ${describe(planned)}`);
    if (target !== undefined) this.busy.add(target);
    try {
      say(describe(planned));
      if (await this.inject(fault, index)) this.done.set(fault.kind, (this.done.get(fault.kind) ?? 0) + 1);
      else say(`left out, not possible now: ${describe(planned)}`);
    } catch (error) {
      say(`left out, ${String(error)}: ${describe(planned)}`);
    } finally {
      if (target !== undefined) this.busy.delete(target);
    }
  }

  /** False when there was nothing to do it to. */
  private async inject(fault: Fault, index: number): Promise<boolean> {
    const { platform, proxy } = this.ground;
    switch (fault.kind) {
      case 'kill':
        return this.signal(fault.target, 'SIGKILL');
      case 'restart':
        await platform.restart(fault.target);
        return true;
      case 'pause':
        return this.pause(fault.target, fault.forMs);
      case 'kill-server':
        platform.signalServer(fault.server, 'SIGKILL');
        return true;
      case 'pause-server':
        platform.signalServer(fault.server, 'SIGSTOP');
        await sleep(fault.forMs);
        platform.signalServer(fault.server, 'SIGCONT');
        return true;
      case 'crash-point':
        return this.restartWith(fault.target, { ASTRO_CRASH_AT: `${fault.at}:${fault.count}` });
      case 'clock-skew':
        return this.restartWith(fault.target, skewedClock(fault.byMs));
      case 'duplicates':
        return this.duplicate(fault, index);
      case 'poison':
        return this.poison(fault);
      case 'partition':
        proxy.cut(fault.target);
        await sleep(fault.forMs);
        proxy.heal(fault.target);
        return true;
      case 'reorder':
        proxy.shuffle(fault.target, new Random(index));
        await sleep(fault.forMs);
        return proxy.straighten(fault.target) > 0;
      case 'disk-full':
        return this.fillDisk(fault);
    }
  }

  /** The change to its environment ends with the process, or when everything is healed. */
  private async restartWith(name: string, env: Readonly<Record<string, string>>): Promise<boolean> {
    this.armed.add(name);
    await this.ground.platform.restart(name, env);
    return true;
  }

  private signal(name: string, signal: NodeJS.Signals): boolean {
    if (this.ground.platform.pid(name) === undefined) return false;
    this.ground.platform.kill(name, signal);
    return true;
  }

  private async pause(name: string, forMs: number): Promise<boolean> {
    if (!this.signal(name, 'SIGSTOP')) return false;
    await sleep(forMs);
    this.signal(name, 'SIGCONT');
    return true;
  }

  /** The bus takes each for a new message, as it does when the duplicate window has passed. */
  private async duplicate(fault: Extract<Fault, { kind: 'duplicates' }>, index: number): Promise<boolean> {
    const stream = fault.of === 'reports' ? 'AGENT_REPORTS' : commandStreams[index % commandStreams.length]!;
    const messages = await newestOf(this.ground.bus, stream, fault.count);
    // A poisoned message has no id, and one dose of it is enough.
    for (const message of messages) if (message.id !== '') await message.repeat(`again-${index}`);
    return messages.length > 0;
  }

  private async poison({ poison }: Extract<Fault, { kind: 'poison' }>): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.ground.bus.ready();
        const dose = await administer(this.ground.bus, poison);
        if (dose) this.doses.push(dose);
        return true;
      } catch (error) {
        if (attempt === poisonAttempts) throw error;
        await sleep(1_000);
      }
    }
  }

  /** A server that met a full disk may have given up its store: it is started again once there is room. */
  private async fillDisk({ server, forMs }: Extract<Fault, { kind: 'disk-full' }>): Promise<boolean> {
    const { disks, probe, platform } = this.ground;
    const disk = disks[server];
    if (!disk) return false;
    await disk.fill();
    const deadline = Date.now() + forMs;
    const isRefused = await probe.isRefused(server, deadline);
    await sleep(Math.max(0, deadline - Date.now()));
    await disk.free();
    platform.signalServer(server, 'SIGKILL');
    if (!isRefused) this.breaches.push({ invariant: 'disk-full', detail: `${server} went on writing` });
    return true;
  }
}
