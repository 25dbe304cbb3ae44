import type { Bus } from './bus.js';
import { readPage } from './direct-read.js';
import { assertToken } from './subjects.js';

const STREAM = 'LOGS';

export type StoredLog = {
  /** In the order in which all logs were stored. */
  readonly position: number;
  readonly leaseId: string;
  readonly storedAt: Date;
  readonly payload: Uint8Array;
};

/** What programs wrote, by lease: some of the last day, and never for good. */
export class LeaseLogs {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** @param id the same for what is stored again */
  async append(leaseId: string, payload: Uint8Array, id: string): Promise<void> {
    await this.#bus.js.publish(subjectOf(leaseId), payload, { msgID: id });
  }

  /** The first of what these leases have after a position, in the order in which it was stored. */
  async read(leaseIds: readonly string[], after: number, limit: number): Promise<readonly StoredLog[]> {
    const pages = await Promise.all(leaseIds.map(leaseId => this.#readLease(leaseId, after, limit)));
    return pages
      .flat()
      .sort((left, right) => left.position - right.position)
      .slice(0, limit);
  }

  async #readLease(leaseId: string, after: number, limit: number): Promise<readonly StoredLog[]> {
    const page = { seq: after + 1, batch: limit, next_by_subj: subjectOf(leaseId) };
    const messages = await readPage(this.#bus, STREAM, page);
    return messages.map(({ seq, data, timestamp }) => ({
      ...{ position: seq, leaseId, storedAt: new Date(timestamp), payload: data },
    }));
  }
}

const subjectOf = (leaseId: string): string => `log.${assertToken(leaseId)}`;
