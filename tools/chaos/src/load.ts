import { setTimeout as sleep } from 'node:timers/promises';
import { derivedId } from '@astro/event-sourcing/ids';
import type { CommandBus } from '@astro/jetstream/command-bus';
import { endlessProgram, idleProgram, trappingProgram } from '@astro/demo/broken-programs';
import { Problem, type Client, type JobRequest } from '@astro/demo/client';
import { Random } from './random.js';

/** A write that was acknowledged, and therefore must be there afterwards. */
export type Acknowledged =
  | { readonly what: 'job'; readonly id: string }
  | { readonly what: 'transfer'; readonly commandId: string; readonly position: number };

/** With each fault comes a burst of work, a little earlier, so that the fault meets it on its way. */
const jobsOfBurst = { least: 10, most: 24 };
const leadMs = { least: 0, most: 1_500 };
const refusalsMax = 20;
/** Even a machine that many share ends an empty program within it. */
const lastTimeLimitMs = 60_000;
const outcomeTimeoutMs = 5_000;
const actor = 'service:chaos';
const atto = 10n ** 18n;

type Tenants = { readonly tenantId: string; readonly otherTenantId: string };
type Programs = { readonly idle: string; readonly trapping: string; readonly endless: string };

/** Work like a tenant's through the gateway, and gifts to another through the bus. The seed says what it does. */
export class Load {
  readonly acknowledged: Acknowledged[] = [];
  /** Attempts that were not acknowledged: what became of them is open. */
  unknown = 0;
  /** Sound requests that were answered as if they were not. */
  readonly refusals: string[] = [];
  private running: Promise<void>[] = [];

  private constructor(
    private readonly client: Client,
    private readonly commands: CommandBus,
    private readonly tenants: Tenants,
    private readonly programs: Programs,
    private readonly seed: number,
  ) {}

  static async start(
    client: Client,
    commands: CommandBus,
    options: Tenants & { readonly seed: number; readonly burstsAtMs: readonly number[] },
  ): Promise<Load> {
    const programs = {
      idle: await client.putContent(idleProgram),
      trapping: await client.putContent(trappingProgram),
      endless: await client.putContent(endlessProgram),
    };
    const load = new Load(client, commands, options, programs, options.seed);
    load.running = load.bursts(options.burstsAtMs, Date.now());
    return load;
  }

  get jobIds(): readonly string[] {
    return this.acknowledged.flatMap(write => (write.what === 'job' ? [write.id] : []));
  }

  /** Ends after what is on its way has been answered or given up. */
  async stop(): Promise<void> {
    await Promise.all(this.running);
  }

  /** One more job that cannot but succeed on a platform that is whole. @throws what the gateway said to it */
  async submitLast(): Promise<string> {
    const request = this.request(this.programs.idle, { timeLimitMs: lastTimeLimitMs, taskCount: 1 });
    const { id } = await this.client.submit(request, `chaos-${this.seed}-last`);
    this.acknowledged.push({ what: 'job', id });
    return id;
  }

  private bursts(burstsAtMs: readonly number[], startedAt: number): Promise<void>[] {
    const random = new Random(this.seed * 1_000);
    const running: Promise<void>[] = [];
    for (const [index, atMs] of burstsAtMs.entries()) {
      const count = random.between(jobsOfBurst.least, jobsOfBurst.most);
      const momentOf = () => startedAt + atMs - random.between(leadMs.least, leadMs.most);
      running.push(this.transfer(index, momentOf()));
      for (let job = 0; job < count; job++) {
        const isCancelled = random.next() < 0.1;
        const key = `chaos-${this.seed}-${index}-${job}`;
        running.push(this.submit({ request: this.requestOf(random), key, isCancelled }, momentOf()));
      }
    }
    return running;
  }

  private async submit(
    job: { readonly request: JobRequest; readonly key: string; readonly isCancelled: boolean },
    at: number,
  ): Promise<void> {
    await sleep(Math.max(0, at - Date.now()));
    await this.attempt(async () => {
      const { id } = await this.client.submit(job.request, job.key);
      this.acknowledged.push({ what: 'job', id });
      if (job.isCancelled) await this.client.cancel(id);
    });
  }

  private async transfer(index: number, at: number): Promise<void> {
    const { tenantId, otherTenantId: toTenantId } = this.tenants;
    await sleep(Math.max(0, at - Date.now()));
    await this.attempt(async () => {
      const commandId = derivedId('cmd', 'chaos', this.seed, tenantId, index);
      const transferId = derivedId('transfer', commandId);
      const money = { amountAtto: atto, currency: 'ASTRO', requestedAt: new Date(at) };
      const outcome = await this.commands.request(
        {
          to: { type: 'billing.account', id: tenantId },
          type: 'TransferFunds',
          data: { tenantId, transferId, toTenantId, ...money },
        },
        {
          id: commandId,
          metadata: { correlationId: commandId, causationId: commandId, actor },
          timeoutMs: outcomeTimeoutMs,
        },
      );
      if (outcome?.accepted)
        this.acknowledged.push({ what: 'transfer', commandId, position: outcome.position });
      else this.unknown++;
    });
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
