import { accept, reject, type Decider, type Decision } from '@astro/event-sourcing/decider';
import { structured } from '@astro/event-sourcing/snapshot-format';
import type {
  AccountCommand,
  AccountEvent,
  ChargePeriod,
  ChargeTask,
  CreditAccount,
  Posting,
  ReleaseFunds,
  ReserveFunds,
  TaskCharged,
} from '@astro/messages/billing';
import { changeOf, escrowCustody, tenantAccount } from '@astro/messages/ledger-accounts';
import { chargesMade, isCharged, noCharges, withCharge, type NumberedCharges } from './numbered-charges.js';
import { chargeFor, isFee, workProblem } from './charge.js';
import { transfer } from './postings.js';

export type AccountRejection =
  | 'AccountIsOfAnotherTenant'
  | 'AmountIsNotPositive'
  | 'AmountExceedsSupply'
  | 'CreditExists'
  | 'AmountIsNegative'
  | 'ReservationExists'
  | 'ReservationNotFound'
  | 'ReservationIsReleased'
  | 'FeeIsOutOfBounds'
  | 'WorkIsInvalid'
  | 'ChargeExceedsReservation';

/** Money set aside for one job that has not been released. */
export type Reservation = {
  readonly amountAtto: bigint;
  /** What charges have left of it. */
  readonly leftAtto: bigint;
  readonly chargedTasks: ReadonlySet<string>;
  /** Of a service, whose charges are numbered. */
  readonly periods?: NumberedCharges;
  /** Set once the job has ended: how many charges must be in before the rest is released. */
  readonly expectedCharges?: number;
};

/** A job for which nothing is set aside any more, or never was. */
type Settled =
  | { readonly outcome: 'declined'; readonly amountAtto: bigint }
  | { readonly outcome: 'ended-before-reserved' }
  | {
      readonly outcome: 'released';
      readonly amountAtto: bigint;
      readonly chargedTasks: ReadonlySet<string>;
      readonly periods?: NumberedCharges;
    };

/** Open and settled jobs are apart, so that a charge copies only the few that are open. */
export type Account = {
  readonly tenantId?: string;
  readonly availableAtto: bigint;
  /** Amount of every credit, by its id. */
  readonly credits: ReadonlyMap<string, bigint>;
  readonly open: ReadonlyMap<string, Reservation>;
  readonly settled: ReadonlyMap<string, Settled>;
};

type AccountDecision = Decision<AccountEvent, AccountRejection>;

/** The token's cap of 10 billion ASTRO: no account can hold more. */
const MAX_SUPPLY_ATTO = 10n ** 28n;

/** One tenant's money: credited, reserved for jobs before they are placed, charged for verified work, released. */
export const account: Decider<Account, AccountCommand, AccountEvent, AccountRejection> = {
  initialState: { availableAtto: 0n, credits: new Map(), open: new Map(), settled: new Map() },

  decide({ type, data }, account) {
    if (account.tenantId !== undefined && account.tenantId !== data.tenantId) {
      return reject('AccountIsOfAnotherTenant', `tenantId: ${data.tenantId}`);
    }
    switch (type) {
      case 'CreditAccount':
        return credit(data, account);
      case 'ReserveFunds':
        return reserve(data, account);
      case 'ChargeTask':
        return charge(data, account);
      case 'ChargePeriod':
        return chargePeriod(data, account);
      case 'ReleaseFunds':
        return release(data, account);
    }
  },

  evolve(state, { type, data }) {
    const account = { ...state, tenantId: data.tenantId };
    switch (type) {
      case 'AccountCredited': {
        const credits = new Map(state.credits).set(data.creditId, receivedBy(data));
        return { ...account, credits, availableAtto: state.availableAtto + receivedBy(data) };
      }
      case 'FundsReserved': {
        const amountAtto = -receivedBy(data);
        const reservation = { amountAtto, leftAtto: amountAtto, chargedTasks: new Set<string>() };
        const open = new Map(state.open).set(data.jobId, reservation);
        return { ...account, open, availableAtto: state.availableAtto - amountAtto };
      }
      case 'ReservationDeclined':
        return settle(account, data.jobId, { outcome: 'declined', amountAtto: data.requiredAtto });
      case 'TaskCharged': {
        const reservation = openReservation(state, data.jobId);
        const leftAtto =
          reservation.leftAtto + changeOf(tenantAccount(data.tenantId, 'reserved'), data.postings);
        const charged = { ...reservation, ...withChargeOf(reservation, data), leftAtto };
        const open = new Map(state.open).set(data.jobId, charged);
        return { ...account, open };
      }
      case 'ReservationClosing': {
        const reservation = state.open.get(data.jobId);
        if (!reservation) return settle(account, data.jobId, { outcome: 'ended-before-reserved' });
        const closing = { ...reservation, expectedCharges: data.expectedCharges };
        return { ...account, open: new Map(state.open).set(data.jobId, closing) };
      }
      case 'FundsReleased': {
        const { amountAtto, chargedTasks, periods } = openReservation(state, data.jobId);
        const charged = { chargedTasks, ...(periods && { periods }) };
        const released = settle(account, data.jobId, { outcome: 'released', amountAtto, ...charged });
        return { ...released, availableAtto: state.availableAtto + receivedBy(data) };
      }
    }
  },

  snapshot: structured(2),
};

function credit({ tenantId, creditId, amountAtto }: CreditAccount, account: Account): AccountDecision {
  const credited = account.credits.get(creditId);
  if (credited !== undefined) {
    return credited === amountAtto ? accept() : reject('CreditExists', `amountAtto: was ${credited}`);
  }
  if (amountAtto <= 0n) return reject('AmountIsNotPositive', `amountAtto: ${amountAtto}`);
  if (account.availableAtto + reservedAtto(account) + amountAtto > MAX_SUPPLY_ATTO) {
    return reject('AmountExceedsSupply', `amountAtto: the account would hold more than ${MAX_SUPPLY_ATTO}`);
  }
  const postings = transfer(escrowCustody, [{ to: tenantAccount(tenantId, 'available'), amountAtto }]);
  return accept({ type: 'AccountCredited', data: { tenantId, creditId, postings } });
}

function reserve({ tenantId, jobId, amountAtto }: ReserveFunds, account: Account): AccountDecision {
  const known = account.open.get(jobId) ?? account.settled.get(jobId);
  if (known !== undefined) {
    const repeated = !('amountAtto' in known) || known.amountAtto === amountAtto;
    return repeated ? accept() : reject('ReservationExists', `amountAtto: was ${known.amountAtto}`);
  }
  if (amountAtto < 0n) return reject('AmountIsNegative', `amountAtto: ${amountAtto}`);
  const { availableAtto } = account;
  if (availableAtto < amountAtto) {
    const data = { tenantId, jobId, requiredAtto: amountAtto, availableAtto };
    return accept({ type: 'ReservationDeclined', data });
  }
  const postings = transfer(tenantAccount(tenantId, 'available'), [
    { to: tenantAccount(tenantId, 'reserved'), amountAtto },
  ]);
  return accept({ type: 'FundsReserved', data: { tenantId, jobId, postings } });
}

function charge(command: ChargeTask, account: Account): AccountDecision {
  const { jobId, taskId } = command;
  const settled = account.settled.get(jobId);
  if (settled?.outcome === 'released') {
    return settled.chargedTasks.has(taskId) ? accept() : reject('ReservationIsReleased', `jobId: ${jobId}`);
  }
  const reservation = account.open.get(jobId);
  if (!reservation) return reject('ReservationNotFound', `jobId: ${jobId}`);
  return reservation.chargedTasks.has(taskId) ? accept() : chargeWork(command, reservation);
}

function chargePeriod({ work, ...command }: ChargePeriod, account: Account): AccountDecision {
  const { jobId, chargeNumber } = command;
  const settled = account.settled.get(jobId);
  if (settled?.outcome === 'released') {
    const isRepeated = isCharged(settled.periods ?? noCharges, chargeNumber);
    return isRepeated ? accept() : reject('ReservationIsReleased', `jobId: ${jobId}`);
  }
  const reservation = account.open.get(jobId);
  if (!reservation) return reject('ReservationNotFound', `jobId: ${jobId}`);
  if (isCharged(reservation.periods ?? noCharges, chargeNumber)) return accept();
  return chargeWork({ ...command, work: [work] }, reservation);
}

type Work = ChargeTask & { readonly chargeNumber?: number };

/** What is not charged yet. The last of the charges that a closing reservation waits for releases the rest. */
function chargeWork(command: Work, reservation: Reservation): AccountDecision {
  const { tenantId, jobId, taskId, chargeNumber, feeBps, burnBps } = command;
  if (!isFee(feeBps, burnBps)) {
    return reject('FeeIsOutOfBounds', `feeBps: ${feeBps} of 100..500, burnBps: ${burnBps} of 0..10000`);
  }
  const problem = workProblem(command.work);
  if (problem !== undefined) return reject('WorkIsInvalid', problem);
  const { grossAtto, meteredMs, parts } = chargeFor(command);
  if (grossAtto > reservation.leftAtto) {
    return reject(
      'ChargeExceedsReservation',
      `${grossAtto} of ${reservation.leftAtto} left for job ${jobId}`,
    );
  }
  const postings = transfer(tenantAccount(tenantId, 'reserved'), parts);
  const charged = { tenantId, jobId, taskId, feeBps, burnBps, meteredMs, postings };
  const event = {
    type: 'TaskCharged',
    data: { ...charged, ...(chargeNumber !== undefined && { chargeNumber }) },
  } as const;
  const isLast = chargesOf(reservation) + 1 === reservation.expectedCharges;
  return isLast ? accept(event, released(tenantId, jobId, reservation.leftAtto - grossAtto)) : accept(event);
}

const chargesOf = ({ chargedTasks, periods = noCharges }: Reservation): number =>
  chargedTasks.size + chargesMade(periods);

function withChargeOf(
  { chargedTasks, periods = noCharges }: Reservation,
  { taskId, chargeNumber }: TaskCharged,
): Pick<Reservation, 'chargedTasks' | 'periods'> {
  return chargeNumber === undefined
    ? { chargedTasks: new Set(chargedTasks).add(taskId) }
    : { chargedTasks, periods: withCharge(periods, chargeNumber) };
}

/**
 * The end of a job and the last of its charges travel apart and may meet in either order; whichever comes second
 * releases the rest. The end may even overtake the reservation itself, when a job is cancelled at once: it is
 * remembered, so that the reservation which follows does not hold money that nothing would ever release.
 */
function release({ tenantId, jobId, expectedCharges }: ReleaseFunds, account: Account): AccountDecision {
  if (account.settled.has(jobId)) return accept();
  const reservation = account.open.get(jobId);
  const closing = { type: 'ReservationClosing', data: { tenantId, jobId, expectedCharges } } as const;
  if (!reservation) {
    return expectedCharges === 0 ? accept(closing) : reject('ReservationNotFound', `jobId: ${jobId}`);
  }
  if (reservation.expectedCharges !== undefined) return accept();
  return chargesOf(reservation) < expectedCharges
    ? accept(closing)
    : accept(released(tenantId, jobId, reservation.leftAtto));
}

function released(tenantId: string, jobId: string, amountAtto: bigint): AccountEvent {
  const postings = transfer(tenantAccount(tenantId, 'reserved'), [
    { to: tenantAccount(tenantId, 'available'), amountAtto },
  ]);
  return { type: 'FundsReleased', data: { tenantId, jobId, postings } };
}

function settle(account: Account, jobId: string, settled: Settled): Account {
  const open = new Map(account.open);
  open.delete(jobId);
  return { ...account, open, settled: new Map(account.settled).set(jobId, settled) };
}

function openReservation(account: Account, jobId: string): Reservation {
  const reservation = account.open.get(jobId);
  if (!reservation)
    throw new Error(`the history of ${account.tenantId} has no open reservation for ${jobId}`);
  return reservation;
}

/** What the event's postings bring to the tenant's available balance. */
const receivedBy = ({ tenantId, postings }: { tenantId: string; postings: readonly Posting[] }): bigint =>
  changeOf(tenantAccount(tenantId, 'available'), postings);

const reservedAtto = (account: Account): bigint =>
  [...account.open.values()].reduce((sum, reservation) => sum + reservation.leftAtto, 0n);
