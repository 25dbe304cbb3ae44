import { accept, type Accepted } from '@astro/event-sourcing/decider';
import type { EndShortage, JobEvent, NoteShortage, SubmitJob } from '@astro/messages/scheduling';

/** What a job knows of the money that it was short of. Requests for money are numbered, which tells what is late. */
export type Shortage = { readonly number: number; readonly isOver: boolean };

type Owner = Pick<SubmitJob, 'jobId' | 'tenantId' | 'poolId'>;

/** Told once for each request, and not after there was money for it. */
export function noteShortage(
  { number, missingAtto, availableAtto, stopsAt }: NoteShortage,
  { jobId, tenantId, poolId }: Owner,
  known: Shortage | undefined,
): Accepted<JobEvent> {
  if (known && number <= known.number) return accept();
  const data = { jobId, tenantId, poolId, number, missingAtto, availableAtto, ...(stopsAt && { stopsAt }) };
  return accept({ type: 'JobShortOfFunds', data });
}

/** Told even when it overtakes the shortage itself, which has nothing more to say then. */
export function endShortage(
  { number }: EndShortage,
  { jobId, tenantId, poolId }: Owner,
  known: Shortage | undefined,
): Accepted<JobEvent> {
  if (known && (number < known.number || (number === known.number && known.isOver))) return accept();
  return accept({ type: 'JobFundedAgain', data: { jobId, tenantId, poolId, number } });
}
