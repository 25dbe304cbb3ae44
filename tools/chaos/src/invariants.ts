import type { Recorded } from '@astro/event-sourcing/recorded';
import type { ListedDeadLetter } from '@astro/jetstream/dead-letters';
import { chargesIn, settledIn } from '@astro/demo/charges';
import type { AccountEvent, SettlementEvent } from '@astro/messages/billing';
import { changeOf, escrowCustody, ledgerAccountIn, postingsIn } from '@astro/messages/ledger-accounts';
import type { Acknowledged } from './load.js';
import type { Dose } from './poison.js';

/** A promise that was not kept: which, and by what. */
export type Breach = { readonly invariant: string; readonly detail: string };

const terminal = new Set(['JobSucceeded', 'JobFailed', 'JobCancelled']);
const breach = (invariant: string, detail: string): Breach => ({ invariant, detail });

/** Whose events move money. */
const ledger: ReadonlySet<string> = new Set(['billing.account', 'billing.settlement']);

/** I1: the postings of every event sum to zero. */
export function unbalanced(events: readonly Recorded[]): readonly Breach[] {
  let total = 0n;
  const breaches: Breach[] = [];
  for (const { id, aggregate, event } of events) {
    if (!ledger.has(aggregate.type)) continue;
    const sum = postingsIn(event).reduce((so, { amountAtto }) => so + amountAtto, 0n);
    total += sum;
    if (sum !== 0n) breaches.push(breach('I1', `${event.type} ${id} sums to ${sum}`));
  }
  return total === 0n ? breaches : [...breaches, breach('I1', `the ledger sums to ${total}`)];
}

/** I2 and I6: every job has ended once; one that has not is past its deadline by the time this is asked. */
export function notEndedOnce(events: readonly Recorded[]): readonly Breach[] {
  const endings = new Map<string, string[]>();
  for (const { aggregate, event } of events) {
    if (aggregate.type !== 'scheduling.job') continue;
    const known = endings.get(aggregate.id) ?? [];
    endings.set(aggregate.id, terminal.has(event.type) ? [...known, event.type] : known);
  }
  return [...endings].flatMap(([jobId, ends]) => {
    if (ends.length === 1) return [];
    return ends.length === 0
      ? [breach('I6', `${jobId} is still open`)]
      : [breach('I2', `${jobId} ended ${ends.length} times: ${ends.join(', ')}`)];
  });
}

/** A job that was submitted after healing, and that nothing stood against. */
export function notSucceeded(events: readonly Recorded[], jobId: string): readonly Breach[] {
  const types = events.filter(({ aggregate }) => aggregate.id === jobId).map(({ event }) => event.type);
  if (types.includes('JobSucceeded')) return [];
  return [breach('liveness', `${jobId}, submitted after healing, came to ${types.join(', ') || 'nothing'}`)];
}

/** I5, the side of the ledger: a task is charged once, and a job's reservation is taken and given back once. */
export function settledTwice(events: readonly Recorded[]): readonly Breach[] {
  const once = new Map<string, number>();
  for (const { aggregate, event } of events) {
    if (aggregate.type !== 'billing.account') continue;
    const { type, data } = event as AccountEvent;
    const key =
      type === 'TaskCharged'
        ? `${type} ${data.jobId} ${data.taskId}`
        : type === 'FundsReserved' || type === 'FundsReleased'
          ? `${type} ${data.jobId}`
          : type === 'AccountCredited'
            ? `${type} ${data.creditId}`
            : type === 'FundsTransferred'
              ? `${type} ${data.transferId}`
              : undefined;
    if (key !== undefined) once.set(key, (once.get(key) ?? 0) + 1);
  }
  return [...once]
    .filter(([, count]) => count > 1)
    .map(([key, count]) => breach('I5', `${key}: ${count} times`));
}

const isReserved = (account: string) => {
  const read = ledgerAccountIn(account);
  return read?.owner === 'tenant' && read.kind === 'reserved';
};

/** What a job had reserved and was neither charged nor given back. */
export function stillReserved(events: readonly Recorded[]): readonly Breach[] {
  const reserved = new Map<string, bigint>();
  for (const { aggregate, event } of events) {
    if (aggregate.type !== 'billing.account') continue;
    for (const { account, amountAtto } of postingsIn(event))
      if (isReserved(account)) reserved.set(account, (reserved.get(account) ?? 0n) + amountAtto);
  }
  return [...reserved]
    .filter(([, sum]) => sum !== 0n)
    .map(([account, sum]) => breach('I5', `${account} holds ${sum}`));
}

/** I7: every write that was acknowledged stands in the stream. */
export function lostWrites(
  events: readonly Recorded[],
  acknowledged: readonly Acknowledged[],
): readonly Breach[] {
  const jobs = new Set(
    events.filter(({ event }) => event.type === 'JobSubmitted').map(({ aggregate }) => aggregate.id),
  );
  const recorded = new Map(
    events
      .filter(({ aggregate }) => aggregate.type === 'billing.account')
      .map(({ position, metadata }) => [metadata.causationId, position]),
  );
  return acknowledged.flatMap(write => {
    if (write.what === 'job')
      return jobs.has(write.id) ? [] : [breach('I7', `${write.id} was acknowledged and is lost`)];
    // A repeated command answers with the position of the account, which may be a later event's.
    if ((recorded.get(write.commandId) ?? Infinity) <= write.position) return [];
    return [breach('I7', `transfer ${write.commandId} was acknowledged at ${write.position} and is lost`)];
  });
}

/** I8, the side of the streams: no event was recorded twice. */
export function recordedTwice(events: readonly Recorded[]): readonly Breach[] {
  const positions = new Map<string, number>();
  return events.flatMap(({ id, position, event }) => {
    const first = positions.get(id);
    positions.set(id, position);
    return first === undefined
      ? []
      : [breach('I8', `${event.type} ${id} stands at ${first} and ${position}`)];
  });
}

/** Every poisoned message is a dead letter, and nothing else is. */
export function wrongDeadLetters(
  letters: readonly ListedDeadLetter[],
  doses: readonly Dose[],
): readonly Breach[] {
  const keyOf = (stream: string, position: number) => `${stream} ${position}`;
  const due = new Map(doses.map(dose => [keyOf(dose.stream, dose.position), dose]));
  const strays = letters
    .filter(({ letter }) => !due.has(keyOf(letter.stream, letter.sequence)) && letter.stream !== 'TELEMETRY')
    .map(({ letter }) =>
      breach('poison', `a dead letter that was no poison: ${letter.subject}: ${letter.reason}`),
    );
  const written = new Set(letters.map(({ letter }) => keyOf(letter.stream, letter.sequence)));
  // Telemetry is kept in memory, so that a killed server forgets it, and its positions begin again.
  const missing = [...due]
    .filter(([key, { stream }]) => stream !== 'TELEMETRY' && !written.has(key))
    .map(([key, { poison }]) => breach('poison', `${poison} (${key}) is no dead letter`));
  return [...strays, ...missing];
}

/**
 * I4: Escrow holds what the ledger says, and nobody had to be told otherwise. I5, the side of the chain: all that was
 * charged is settled there, each batch once.
 */
export function notOnChain(events: readonly Recorded[], escrowAtto: bigint): readonly Breach[] {
  const of = <Event>(type: string) =>
    events.filter(({ aggregate }) => aggregate.type === type).map(({ event }) => event as Event);
  const [account, settlement] = [
    of<AccountEvent>('billing.account'),
    of<SettlementEvent>('billing.settlement'),
  ];
  const custodyAtto = -changeOf(escrowCustody, [...account, ...settlement].flatMap(postingsIn));
  const { chargedAtto } = chargesIn(account);
  const { settledAtto, transactions } = settledIn(settlement);
  const batches = settlement.filter(({ type }) => type === 'BatchSettled').length;
  const alerts = settlement.flatMap(({ type, data }) =>
    type === 'SettlementHalted' ? data.differences : [],
  );
  return [
    ...(escrowAtto === custodyAtto
      ? []
      : [breach('I4', `Escrow holds ${escrowAtto}, by the ledger ${custodyAtto}`)]),
    ...alerts.map(({ reference }) => breach('I4', `settlement was halted by ${reference}`)),
    ...(settledAtto === chargedAtto
      ? []
      : [breach('I5', `${chargedAtto} were charged, ${settledAtto} are settled`)]),
    ...(batches === transactions.length
      ? []
      : [breach('I5', `${transactions.length} batches were settled ${batches} times`)]),
  ];
}
