import { accept, reject } from '@astro/event-sourcing/decider';
import type { AccountEvent, ChargePeriod, ChargeTask, WriteOffCharge } from '@astro/messages/billing';
import { tenantAccount } from '@astro/messages/ledger-accounts';
import { chargeFor, workProblem } from './charge.js';
import type { AccountDecision } from './decision.js';
import { feeFlaw, isFee, termsIn } from './fee.js';
import { isCharged, noCharges, type NumberedCharges } from './numbered-charges.js';
import { transfer } from './postings.js';
import { chargesOf, released } from './reservations.js';
import type { Account, Reservation } from './state.js';

/** Which of a job's charges: of a task, or with a number when it is a service's. */
type Charge = { readonly taskId: string; readonly chargeNumber?: number };

/** Tells a task's charge from a service's by the sign, which no id begins with. */
export const chargeKey = ({ taskId, chargeNumber }: Charge): string =>
  chargeNumber === undefined ? taskId : `#${chargeNumber}`;

export function charge(command: ChargeTask, account: Account): AccountDecision {
  return chargeOnce(command, account, reservation => chargeWork(command, reservation));
}

export function chargePeriod({ work, ...command }: ChargePeriod, account: Account): AccountDecision {
  return chargeOnce(command, account, reservation => chargeWork({ ...command, work: [work] }, reservation));
}

/** The job's last word on a charge that cannot be made. */
export function writeOff(
  { tenantId, jobId, taskId, chargeNumber, reason }: WriteOffCharge,
  account: Account,
): AccountDecision {
  const number = chargeNumber === undefined ? {} : { chargeNumber };
  const which = { taskId, ...number };
  return chargeOnce({ jobId, ...which }, account, reservation => {
    const key = chargeKey(which);
    if (!reservation.refusedCharges.has(key)) return reject('ChargeNotFound', `no refused charge is ${key}`);
    const event = { type: 'ChargeWrittenOff', data: { tenantId, jobId, ...which, reason } } as const;
    return withRelease(event, reservation, reservation.leftAtto);
  });
}

function chargeOnce(
  charge: Charge & { readonly jobId: string },
  account: Account,
  decide: (reservation: Reservation) => AccountDecision,
): AccountDecision {
  const { jobId } = charge;
  const settled = account.settled.entries.get(jobId)?.value;
  if (settled?.outcome === 'released') {
    return isMade(settled, charge) ? accept() : reject('ReservationIsReleased', `jobId: ${jobId}`);
  }
  const reservation = account.open.get(jobId);
  if (!reservation) return reject('ReservationNotFound', `jobId: ${jobId}`);
  return isMade(reservation, charge) ? accept() : decide(reservation);
}

type Made = { readonly chargedTasks: ReadonlySet<string>; readonly periods?: NumberedCharges };

const isMade = ({ chargedTasks, periods = noCharges }: Made, { taskId, chargeNumber }: Charge): boolean =>
  chargeNumber === undefined ? chargedTasks.has(taskId) : isCharged(periods, chargeNumber);

type Work = ChargeTask & { readonly chargeNumber?: number };

/**
 * What is not charged yet. A refusal is recorded once, because the reservation stays closed to its tenant until
 * somebody repairs it: a command that is sent again may find what it lacked.
 */
function chargeWork(command: Work, reservation: Reservation): AccountDecision {
  const { tenantId, jobId, taskId, chargeNumber } = command;
  const number = chargeNumber === undefined ? {} : { chargeNumber };
  const problem = chargeProblem(command);
  const charged = problem === undefined ? chargeFor(command) : undefined;
  if (!charged || charged.grossAtto > reservation.leftAtto) {
    if (reservation.refusedCharges.has(chargeKey(command))) return accept();
    const refusal = problem ?? {
      rejection: 'ChargeExceedsReservation',
      detail: `${charged!.grossAtto} of ${reservation.leftAtto} left for job ${jobId}`,
    };
    return accept({ type: 'ChargeRefused', data: { tenantId, jobId, taskId, ...number, ...refusal } });
  }
  const { grossAtto, meteredMs, parts, work } = charged;
  const postings = transfer(tenantAccount(tenantId, 'reserved'), parts);
  const data = { tenantId, jobId, taskId, ...termsIn(command), meteredMs, postings, work, ...number };
  return withRelease({ type: 'TaskCharged', data }, reservation, reservation.leftAtto - grossAtto);
}

function chargeProblem(command: Work) {
  if (!isFee(command)) return { rejection: 'FeeIsOutOfBounds', detail: feeFlaw(command) };
  const detail = workProblem(command.work);
  return detail === undefined ? undefined : { rejection: 'WorkIsInvalid', detail };
}

/** The last of the charges that a closing reservation waits for releases the rest. */
function withRelease(
  event: Extract<AccountEvent, { type: 'TaskCharged' | 'ChargeWrittenOff' }>,
  reservation: Reservation,
  leftAtto: bigint,
): AccountDecision {
  const { tenantId, jobId } = event.data;
  const isLast = chargesOf(reservation) + 1 === reservation.expectedCharges;
  return isLast ? accept(event, released(tenantId, jobId, leftAtto)) : accept(event);
}
