import { newId } from '@astro/event-sourcing/ids';
import { CommandBus } from '@astro/jetstream/command-bus';
import type { RequestCount } from '@astro/messages/scheduling';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';

/** Counted together, so that requests cost the job's stream one event in a while, however many they are. */
const COUNT_EVERY_MS = 5_000;
const JOBS_MAX = 10_000;

type Count = { -readonly [Field in keyof RequestCount]: RequestCount[Field] };
type Batch = { readonly commandId: string; readonly seen: RequestCount };

/** What this gateway has passed on. A crash loses the count of the last seconds, which nobody pays by. */
@Injectable()
export class RequestCounts implements OnModuleDestroy {
  private readonly logger = new Logger('request-counts');
  private readonly counts = new Map<string, Count>();
  /** Sent under the same id until it is known to be durable. */
  private readonly unsent = new Map<string, Batch>();
  private readonly timer = setInterval(() => void this.sendAll(), COUNT_EVERY_MS);

  constructor(private readonly bus: CommandBus) {
    this.timer.unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.sendAll();
  }

  add(jobId: string, seen: RequestCount): void {
    const count = this.counts.get(jobId) ?? { requests: 0, unanswered: 0, requestBytes: 0, answerBytes: 0 };
    if (!this.counts.has(jobId) && this.counts.size >= JOBS_MAX) return;
    count.requests += seen.requests;
    count.unanswered += seen.unanswered;
    count.requestBytes += seen.requestBytes;
    count.answerBytes += seen.answerBytes;
    this.counts.set(jobId, count);
  }

  private async sendAll(): Promise<void> {
    for (const [jobId, seen] of this.counts) {
      if (this.unsent.has(jobId)) continue;
      this.unsent.set(jobId, { commandId: newId('cmd'), seen });
      this.counts.delete(jobId);
    }
    await Promise.all([...this.unsent].map(([jobId, batch]) => this.send(jobId, batch)));
  }

  private async send(jobId: string, { commandId: id, seen }: Batch): Promise<void> {
    const to = { type: 'scheduling.job', id: jobId } as const;
    const metadata = { correlationId: id, causationId: id, actor: 'gateway' };
    try {
      await this.bus.send({ to, type: 'CountRequests', data: { jobId, seen } }, { id, metadata });
      this.unsent.delete(jobId);
    } catch (error) {
      this.logger.warn(`requests of ${jobId} are not counted yet: ${String(error)}`);
    }
  }
}
