import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AuditCommand, AuditReason, TaskEvent } from '@astro/messages/verification';
import { drawOf } from '../policies/draw.js';

export type AuditRates = {
  /** Of a million accepted results so many are run again by validators. */
  readonly samplePpm: number;
  /** Of a million so many become planted tasks. */
  readonly plantedPpm: number;
};

/** A planted task needs a result that is known to be right: so many operators agreed on it. */
const KNOWN_FROM = 2;

/**
 * Draws which accepted results validators run again, and which they are tried with.
 * @param seedFor of an event, that nobody outside of the service can foresee
 */
export const openAudits = (
  { samplePpm, plantedPpm }: AuditRates,
  seedFor: (eventId: string) => string,
): Reactor<TaskEvent, AuditCommand> => ({
  name: 'verification.open-audits',
  reads: ['verification.task'],
  isUnordered: true,

  react({ id, event: { type, data } }) {
    if (type !== 'ResultVerified' || data.fault !== 'none') return [];
    const { taskId, agreed } = data;
    const isDrawn = (reason: AuditReason, ppm: number) =>
      ppm > 0 && drawOf(`${seedFor(id)} ${reason}`, taskId) < ppm;
    const open = (reason: AuditReason) =>
      [
        { to: { type: 'verification.audit', id: taskId }, type: 'OpenAudit', data: { taskId, reason } },
      ] as const;
    if (isDrawn('sample', samplePpm)) return open('sample');
    return agreed.length >= KNOWN_FROM && isDrawn('planted', plantedPpm) ? open('planted') : [];
  },
});
