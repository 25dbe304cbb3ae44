import { setTimeout as sleep } from 'node:timers/promises';
import { derivedId } from '@astro/event-sourcing/ids';
import type { CommandBus } from '@astro/jetstream/command-bus';
import { endlessProgram, idleProgram, trappingProgram } from '@astro/demo/broken-programs';
import { Problem, type Client, type JobRequest } from '@astro/demo/client';
import { Random } from './random.js';

/** A write that was acknowledged, and therefore must be there afterwards. */
export type Acknowledged =
  | { readonly what: 'job'; readonly id: string }
  | { readonly what: 'credit'; readonly commandId: string; readonly position: number };

const submitters = 3;
/** So that the work of a run spreads over all of its faults. */
const pauseMs = { least: 600, most: 3_200 };
/** For each submitter and each minute of faults: a slow machine is not given more work for being slow. */
const turnsPerMinute = 30;
const refusalsMax = 20;
/** Even a machine that many share ends an empty program within it. */
const lastTimeLimitMs = 60_000;
const outcomeTimeoutMs = 5_000;
const actor = 'service:chaos';
const atto = 10n ** 18n;

type Programs = { readonly idle: string; readonly trapping: string; readonly endless: string };

/** Work like a tenant's through the gateway, and credits through the bus. What it does follows from the seed. */
export class Load {
  readonly acknowledged: Acknowledged[] = [];
  /** Attempts that were not acknowledged: what became of them is open. */
  unknown = 0;
  /** Sound requests that were answered as if they were not. */
  readonly refusals: string[] = [];
  private stopping = false;
  private running: Promise<void>[] = [];

  private constructor(
    private readonly client: Client,
    private readonly commands: CommandBus,
    private readonly tenantId: string,
    private readonly programs: Programs,
    private readonly seed: number,
    private readonly turnsMax: number,
  ) {}

  static async start(
    client: Client,
    commands: CommandBus,
    options: { readonly tenantId: string; readonly seed: number; readonly durationMs: number },
  ): Promise<Load> {
    const programs = {
      idle: await client.putContent(idleProgram),
      trapping: await client.putContent(trappingProgram),
      endless: await client.putContent(endlessProgram),
    };
    const turnsMax = Math.ceil((turnsPerMinute * options.durationMs) / 60_000);
    const load = new Load(client, commands, options.tenantId, programs, options.seed, turnsMax);
    load.running = [...Array.from({ length: submitters }, (_, index) => load.submit(index)), load.credit()];
    return load;
  }

  get jobIds(): readonly string[] {
    return this.acknowledged.flatMap(write => (write.what === 'job' ? [write.id] : []));
  }

  /** Ends after what is on its way has been answered or given up. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.running);
  }

  /** One more job that cannot but succeed on a platform that is whole. @throws what the gateway said to it */
  async submitLast(): Promise<string> {
    const request = this.request(this.programs.idle, { timeLimitMs: lastTimeLimitMs, taskCount: 1 });
    const { id } = await this.client.submit(request, `chaos-${this.seed}-last`);
    this.acknowledged.push({ what: 'job', id });
    return id;
  }

  private async submit(worker: number): Promise<void> {
    const random = new Random(this.seed * 1_000 + worker);
    for (let turn = 0; turn < this.turnsMax && !this.stopping; turn++) {
      await this.attempt(async () => {
        const { id } = await this.client.submit(
          this.requestOf(random),
          `chaos-${this.seed}-${worker}-${turn}`,
        );
        this.acknowledged.push({ what: 'job', id });
        if (random.next() < 0.1) await this.client.cancel(id);
      });
      await sleep(random.between(pauseMs.least, pauseMs.most));
    }
  }

  private async credit(): Promise<void> {
    const random = new Random(this.seed * 1_000 + submitters);
    for (let turn = 0; turn < this.turnsMax && !this.stopping; turn++) {
      await this.attempt(async () => {
        const commandId = derivedId('cmd', 'chaos', this.seed, this.tenantId, turn);
        const outcome = await this.commands.request(
          {
            to: { type: 'billing.account', id: this.tenantId },
            type: 'CreditAccount',
            data: { tenantId: this.tenantId, creditId: derivedId('credit', commandId), amountAtto: atto },
          },
          {
            id: commandId,
            metadata: { correlationId: commandId, causationId: commandId, actor },
            timeoutMs: outcomeTimeoutMs,
          },
        );
        if (outcome?.accepted)
          this.acknowledged.push({ what: 'credit', commandId, position: outcome.position });
        else this.unknown++;
      });
      await sleep(random.between(pauseMs.least, pauseMs.most));
    }
  }

  /** Refusals and silence are what a client meets while things break; what it was promised is checked afterwards. */
  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const isRefusal = error instanceof Problem && error.status < 500 && ![409, 429].includes(error.status);
      if (isRefusal && this.refusals.length < refusalsMax) this.refusals.push(error.message);
      this.unknown++;
    }
  }

  /** Mostly what succeeds, and some of each way to fail. */
  private requestOf(random: Random): JobRequest {
    const { idle, trapping, endless } = this.programs;
    const cid = random.weighted([
      { item: idle, weight: 16 },
      { item: trapping, weight: 2 },
      { item: endless, weight: 1 },
    ]);
    const isTooDear = random.next() < 0.05;
    return this.request(cid, { timeLimitMs: 300, taskCount: random.between(1, 2), isTooDear });
  }

  private request(
    cid: string,
    how: { readonly timeLimitMs: number; readonly taskCount: number; readonly isTooDear?: boolean },
  ): JobRequest {
    return {
      name: 'work under fire',
      program: { cid, timeLimitMs: how.timeLimitMs, memoryLimitMib: 16, outputLimitBytes: 1_024 },
      requirements: {
        deviceKind: 'cpu',
        cpuMillis: 250,
        memoryMib: 32,
        maxPricePerSecondAtto: String(how.isTooDear ? 10n ** 24n : 10n ** 15n),
      },
      tasks: Array.from({ length: how.taskCount }, () => ({ inputs: [] })),
    };
  }
}
