import type { SnapshotFormat } from '@astro/event-sourcing/decider';
import { structured } from '@astro/event-sourcing/snapshot-format';
import { emptyPool, type Pool } from './pool-state.js';
import { NOWHERE } from './waiting-tasks.js';

type Facts = Omit<Pool, 'waiting' | 'byDeadline' | 'byMove'>;

/** Grows with any change of `Pool`'s facts, or of what an event means for them. */
const facts = structured<Facts>(1);

/** Only the facts are written down; the indexes over them are made anew. */
export const poolSnapshot: SnapshotFormat<Pool> = {
  version: facts.version,

  encode({ waiting: _waiting, byDeadline: _byDeadline, byMove: _byMove, ...written }) {
    return facts.encode(written);
  },

  decode(bytes) {
    const pool: Pool = { ...emptyPool(), ...facts.decode(bytes) };
    for (const lease of pool.leases.values()) pool.byDeadline.add(lease);
    for (const job of pool.jobs.values()) {
      pool.byMove.add(job);
      for (const task of job.tasks.values()) {
        task.waitsIn = NOWHERE;
        pool.waiting.refresh(task);
      }
    }
    return pool;
  },
};
