import { maxCostAtto, taskCostAtto } from '@astro/matching/cost';
import type { JobSpec, SubmitJob } from '@astro/messages/scheduling';

/** A week: long enough for anybody to pay in, and no longer than what waits is of use. */
const NOTICE_MS_MAX = 604_800_000;

/** The first thing that is wrong with how a job's money is to be set aside; nothing when it is sound. */
export function flawOfFunding({ funding, gang, service }: JobSpec): string | undefined {
  if (funding === undefined) return undefined;
  const { mode, onShortage, noticeMs } = funding;
  const at = (field: string, rule: string) => `spec.funding.${field}: ${rule}`;
  if (mode === 'unspecified') return at('mode', 'must be specified');
  if (onShortage === 'unspecified') return at('onShortage', 'must be specified');
  if (!Number.isInteger(noticeMs) || noticeMs < 0 || noticeMs > NOTICE_MS_MAX)
    return at('noticeMs', `0 to ${NOTICE_MS_MAX}`);
  if (mode === 'stepwise' && gang) return at('mode', 'must be whole for a gang, whose tasks start together');
  if (mode === 'stepwise' && service) return at('mode', 'must be whole for a service, which has its budget');
  // What was set aside cannot run short; of a service the budget can, and what it has used up is not paid in again.
  if (mode === 'whole' && onShortage === 'pause')
    return at('onShortage', 'must be notice_then_stop for whole');
  return undefined;
}

/** What is set aside at first lets a task begin and is never more than the whole. */
export function flawOfFirstReservation({ spec, firstReservationAtto }: SubmitJob): string | undefined {
  const isStepwise = spec.funding?.mode === 'stepwise';
  if (isStepwise !== (firstReservationAtto !== undefined))
    return `firstReservationAtto: must be ${isStepwise ? 'given' : 'absent'} for this spec.funding.mode`;
  if (firstReservationAtto === undefined) return undefined;
  const least = taskCostAtto(spec);
  const most = maxCostAtto(spec);
  const isWithin = firstReservationAtto >= least && firstReservationAtto <= most;
  return isWithin ? undefined : `firstReservationAtto: ${least} to ${most}`;
}
