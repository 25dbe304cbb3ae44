import { Injectable } from '@nestjs/common';
import type { WorkReport } from '@astro/jetstream/shared-work';

/** What this process has of the work that it shares with others; nothing where a service shares none. */
@Injectable()
export class WorkReports {
  #source: () => WorkReport = () => ({ member: '', units: [] });

  register(source: () => WorkReport): void {
    this.#source = source;
  }

  now(): WorkReport {
    return this.#source();
  }
}
