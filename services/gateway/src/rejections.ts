import type { Outcome } from '@astro/jetstream/command-bus';
import { Problem, type ProblemCode } from './http/problem.js';

/**
 * What a refused command means to a client. Rejections that are not listed break a rule without a code of its
 * own.
 */
const problemOfRejection: Readonly<Record<string, ProblemCode>> = {
  JobExists: 'job_exists',
  JobIsInvalid: 'request_invalid',
  JobNotFound: 'job_not_found',
  JobHasEnded: 'job_has_ended',
  TaskNotFound: 'task_not_found',
  BookingIsInvalid: 'request_invalid',
  BookingExists: 'reservation_exists',
  BookingNotFound: 'reservation_not_found',
  BookingHasEnded: 'reservation_has_ended',
  TooManyBookings: 'too_many_reservations',
  CapacityIsUnavailable: 'capacity_unavailable',
  AddressIsInvalid: 'request_invalid',
  SignatureIsInvalid: 'request_invalid',
  AddressIsLinked: 'wallet_conflict',
  WalletIsFixed: 'wallet_conflict',
  NonceIsUsed: 'wallet_conflict',
  FundsAreInsufficient: 'funds_insufficient',
  ReceiverIsSender: 'request_invalid',
  TransferExists: 'idempotency_key_reused',
  WithdrawalExists: 'idempotency_key_reused',
  BudgetIsInvalid: 'request_invalid',
  BudgetIsFixed: 'budget_conflict',
  BudgetExists: 'budget_conflict',
  BudgetNotFound: 'budget_not_found',
  MonthIsInvalid: 'request_invalid',
  MonthHasNotBegun: 'request_invalid',
  OfferIsInvalid: 'request_invalid',
  InventoryIsInvalid: 'request_invalid',
  PublicKeyIsInvalid: 'request_invalid',
  EvidenceIsRefused: 'evidence_refused',
  ChallengeIsUnknown: 'challenge_unknown',
  ChallengeHasExpired: 'challenge_unknown',
  DrainIsInvalid: 'request_invalid',
  MeasurementIsInvalid: 'request_invalid',
  NodeHasAnotherKey: 'node_exists',
  NodeHasAnotherOperator: 'node_exists',
  NodeNotEnrolled: 'node_not_found',
  NodeIsOfAnotherOperator: 'node_not_found',
  NodeIsRevoked: 'node_revoked',
  ReasonIsInvalid: 'request_invalid',
};

/** @throws Problem when the command was refused */
export function assertAccepted(outcome: Outcome): void {
  if (outcome.accepted) return;
  const { rejection, detail } = outcome;
  const code = problemOfRejection[rejection] ?? 'command_refused';
  if (code === 'command_refused')
    throw new Problem(code, { detail: detail ? `${rejection}: ${detail}` : rejection });
  const [, field, rule] = /^([\w.[\]]+): (.+)$/s.exec(detail) ?? [];
  // Deciders name fields as they are in the command, where what the client sent as the body is the `spec`.
  const errors = field && rule ? [{ field: field.replace(/^spec\./, ''), rule }] : undefined;
  throw new Problem(code, { ...(detail && { detail }), ...(errors && { errors }) });
}
