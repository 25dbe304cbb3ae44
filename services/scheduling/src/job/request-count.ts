import { accept, reject, type Decision } from '@astro/event-sourcing/decider';
import type { CountRequests, JobEvent, RequestCount, SubmitJob } from '@astro/messages/scheduling';

const nothing: RequestCount = { requests: 0, unanswered: 0, requestBytes: 0, answerBytes: 0 };
const fields = ['requests', 'unanswered', 'requestBytes', 'answerBytes'] as const;

/**
 * What a gateway has seen is added up, also of a server that has ended meanwhile: its last requests are counted a
 * moment later.
 */
export function countRequests(
  { seen }: CountRequests,
  { jobId, tenantId, spec }: SubmitJob,
  before: RequestCount = nothing,
): Decision<JobEvent, 'JobIsNoServer' | 'JobIsInvalid'> {
  if (!spec.service?.server) return reject('JobIsNoServer');
  const flaw = flawOf(seen);
  if (flaw) return reject('JobIsInvalid', flaw);
  if (seen.requests === 0) return accept();
  const total = {
    requests: before.requests + seen.requests,
    unanswered: before.unanswered + seen.unanswered,
    requestBytes: before.requestBytes + seen.requestBytes,
    answerBytes: before.answerBytes + seen.answerBytes,
  };
  return flawOf(total)
    ? accept()
    : accept({ type: 'RequestsCounted', data: { jobId, tenantId, seen, total } });
}

function flawOf(count: RequestCount): string | undefined {
  for (const field of fields)
    if (!Number.isSafeInteger(count[field]) || count[field] < 0)
      return `seen.${field}: must be a whole number from 0 to below 2^53`;
  return count.unanswered > count.requests ? 'seen.unanswered: must be at most seen.requests' : undefined;
}
