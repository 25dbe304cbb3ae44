import { LRUCache } from 'lru-cache';

export type RateLimitOptions = {
  /** Requests that one caller may send on average. */
  readonly perSecond: number;
  /** Requests that one caller may send at once after a pause. */
  readonly burst: number;
};
export type Admission = { readonly isAdmitted: boolean; readonly headers: Readonly<Record<string, string>> };

/** Callers that are remembered at once; a forgotten one starts again with a full bucket. */
const CALLERS_MAX = 10_000;

/**
 * A token bucket for each caller, in this process alone: a protection against runaway clients, not a quota.
 * Headers follow draft-ietf-httpapi-ratelimit-headers.
 */
export class RateLimit {
  private readonly buckets = new LRUCache<string, { tokens: number; atMs: number }>({ max: CALLERS_MAX });
  private readonly policy: string;

  constructor(private readonly options: RateLimitOptions) {
    this.policy = `"default";q=${options.burst};w=${Math.ceil(options.burst / options.perSecond)}`;
  }

  admit(caller: string, nowMs: number): Admission {
    const { perSecond, burst } = this.options;
    const bucket = this.buckets.get(caller) ?? { tokens: burst, atMs: nowMs };
    const tokens = Math.min(burst, bucket.tokens + (Math.max(0, nowMs - bucket.atMs) / 1_000) * perSecond);
    const isAdmitted = tokens >= 1;
    const left = isAdmitted ? tokens - 1 : tokens;
    this.buckets.set(caller, { tokens: left, atMs: nowMs });
    const fullInSeconds = Math.ceil((burst - left) / perSecond);
    const headers = {
      'ratelimit-policy': this.policy,
      ratelimit: `"default";r=${Math.floor(left)};t=${fullInSeconds}`,
    };
    if (isAdmitted) return { isAdmitted, headers };
    return {
      isAdmitted,
      headers: { ...headers, 'retry-after': String(Math.ceil((1 - tokens) / perSecond)) },
    };
  }
}
