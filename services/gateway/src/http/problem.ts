import { z } from 'zod';

/**
 * Every refusal that the gateway can answer. Codes are public API: never renamed, never given another status.
 */
export const problems = {
  request_malformed: [400, 'The request is not valid HTTP'],
  json_malformed: [400, 'The body is not valid JSON'],
  request_invalid: [400, 'A field breaks its rule'],
  cid_invalid: [400, 'The content id is not a CIDv1 of raw bytes by SHA-256 in base32'],
  cursor_invalid: [400, 'The cursor does not belong to this list'],
  credentials_missing: [401, 'An API key or a node token is needed'],
  credentials_invalid: [401, 'The API key or node token is not valid'],
  clock_differs: [401, 'The clocks of the node and of the platform differ too much'],
  caller_not_allowed: [403, 'This kind of caller may not do this'],
  node_revoked: [403, 'The node has been revoked'],
  job_not_found: [404, 'There is no such job'],
  task_not_found: [404, 'The job has no such open task'],
  node_not_found: [404, 'There is no such node'],
  service_not_found: [404, 'There is no such service of yours that is a server'],
  reservation_not_found: [404, 'There is no such reservation'],
  invoice_not_found: [404, 'There is no such invoice of yours'],
  payout_not_found: [404, 'There is no such payout of yours'],
  wallet_not_linked: [404, 'No address is linked to this account'],
  budget_not_found: [404, 'There is no such budget of yours'],
  validator_not_found: [404, 'There is no such validator'],
  audit_not_found: [404, 'There is no audit of such a task of yours'],
  batch_not_found: [404, 'There is no such settlement batch'],
  proposal_not_found: [404, 'There is no such proposal'],
  content_not_stored: [404, 'There is no such content'],
  route_not_found: [404, 'There is no such resource'],
  method_not_allowed: [405, 'The resource does not have this method'],
  format_not_acceptable: [406, 'Content is served as blocks or as a CAR'],
  funds_insufficient: [409, 'The account holds less than that'],
  nothing_to_invoice: [409, 'Nothing was charged in this month'],
  position_not_reached: [409, 'The ledger has not come to this position'],
  job_has_ended: [409, 'The job has ended'],
  job_not_in_pool: [409, 'The job is not queued yet, or has ended'],
  job_exists: [409, 'Another job has this id'],
  blocks_missing: [409, 'Parts of the file are not stored yet'],
  capacity_unavailable: [409, 'Nobody has that much capacity to keep for that time'],
  reservation_exists: [409, 'Another reservation has this id'],
  reservation_has_ended: [409, 'The reservation has ended'],
  too_many_reservations: [409, 'No more capacity can be reserved'],
  node_exists: [409, 'The node is enrolled with another offer'],
  challenge_unknown: [409, 'The challenge is not the open one of the node, or has expired'],
  budget_conflict: [409, 'Another budget counts the same, or this one counts something else'],
  wallet_conflict: [409, 'The address, or the account, is linked otherwise'],
  chain_not_configured: [409, 'This platform has no chain'],
  idempotency_key_in_flight: [409, 'A request with this idempotency key is being handled'],
  body_too_large: [413, 'The body is larger than the limit'],
  uri_too_long: [414, 'The address is longer than the limit'],
  media_type_unsupported: [415, 'The content type is not supported here'],
  content_digest_mismatch: [422, 'The body does not have the digest in the content id'],
  content_not_found: [422, 'Content that the request refers to is not stored'],
  idempotency_key_reused: [422, 'The idempotency key was used with another body'],
  receiver_not_found: [422, 'There is no such receiver'],
  evidence_refused: [422, 'The evidence does not prove what is expected'],
  command_refused: [422, 'The request breaks a rule of the marketplace'],
  rate_limited: [429, 'Too many requests'],
  too_many_in_flight: [429, 'Too many requests to servers are in flight'],
  headers_too_large: [431, 'The headers are larger than the limit'],
  internal_error: [500, 'Something went wrong on this side'],
  service_failed: [502, 'The replica has ended the request without a whole answer'],
  service_busy: [503, 'All replicas answer as many requests as they take at once'],
  service_unavailable: [503, 'No replica is healthy and can be reached'],
  commands_unavailable: [503, 'Commands cannot be taken at the moment'],
  pool_unavailable: [503, 'Nobody answers for the pool at the moment'],
  attestation_unavailable: [503, 'Evidence cannot be verified at the moment'],
  reads_unavailable: [503, 'Reads cannot be answered at the moment'],
  chain_not_indexed: [503, 'Nothing of the chain is known yet'],
  too_many_streams: [503, 'Too many streams are open'],
  too_many_uploads: [503, 'Too many uploads are in flight'],
  shutting_down: [503, 'This server is shutting down'],
  service_timed_out: [504, 'The replica has not answered in the time that the job gives it'],
  storage_full: [507, 'There is no room for more content'],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ProblemCode = keyof typeof problems;
export type FieldError = { readonly field: string; readonly rule: string };

export type ProblemDetails = {
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
};

/** A refusal on its way to the client. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly errors?: readonly FieldError[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly code: ProblemCode,
    readonly details: ProblemDetails = {},
  ) {
    super(details.detail ?? problems[code][1]);
    this.status = problems[code][0];
    this.errors = details.errors;
    this.headers = details.headers ?? {};
  }

  /** RFC 9457. `requestId` finds the request in the logs. */
  document(requestId: string): z.infer<typeof problemDocument> {
    return {
      type: `urn:astro:problem:${this.code}`,
      title: problems[this.code][1],
      status: this.status,
      code: this.code,
      ...(this.details.detail !== undefined && { detail: this.details.detail }),
      ...(this.errors && { errors: [...this.errors] }),
      requestId,
    };
  }
}

/** One field that breaks one rule. */
export const invalidField = (field: string, rule: string, code: ProblemCode = 'request_invalid'): Problem =>
  new Problem(code, { detail: `${field}: ${rule}`, errors: [{ field, rule }] });

export const problemDocument = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.enum(Object.keys(problems) as [ProblemCode, ...ProblemCode[]]),
    detail: z.string().optional(),
    errors: z.array(z.object({ field: z.string(), rule: z.string() })).optional(),
    requestId: z.string(),
  })
  .meta({
    id: 'Problem',
    description: 'RFC 9457 problem details. `code` is stable; `errors` names the fields at fault.',
    example: {
      type: 'urn:astro:problem:request_invalid',
      title: 'A field breaks its rule',
      status: 400,
      code: 'request_invalid',
      detail: 'quorum: Too big: expected number to be <=5',
      errors: [{ field: 'quorum', rule: 'Too big: expected number to be <=5' }],
      requestId: 'request_01h455vb4pex5vsknk084sn02q',
    },
  });
