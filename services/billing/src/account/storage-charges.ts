import { accept, reject } from '@astro/event-sourcing/decider';
import type { ChargeStorage } from '@astro/messages/billing';
import { tenantAccount } from '@astro/messages/ledger-accounts';
import { splitFee } from './charge.js';
import type { AccountDecision } from './decision.js';
import { feeFlaw, isFee, termsIn } from './fee.js';
import { transfer } from './postings.js';
import { spendableAtto, type Account } from './state.js';

const ATTO = 10n ** 18n;

/** What it costs to keep so much for so long, rounded up to a base unit. */
export const storageAtto = (gibHoursAtto: bigint, pricePerGibHourAtto: bigint): bigint =>
  (gibHoursAtto * pricePerGibHourAtto + ATTO - 1n) / ATTO;

/**
 * Each period is charged once, with what earlier ones had left unpaid. Who cannot pay keeps its content and owes: the
 * whole of it is charged as soon as there is enough at the end of a period.
 */
export function chargeStorage(command: ChargeStorage, account: Account): AccountDecision {
  const { tenantId, from, through, gibHoursAtto, pricePerGibHourAtto, operatorId } = command;
  const { storage } = account;
  if (through.getTime() <= storage.throughMs) return accept();
  const flaw = flawOf(command);
  if (flaw) return reject('StorageChargeIsInvalid', flaw);
  const period = { tenantId, from, through, gibHoursAtto, pricePerGibHourAtto };
  const dueAtto = storage.dueAtto + storageAtto(gibHoursAtto, pricePerGibHourAtto);
  if (dueAtto === 0n) return accept();
  const availableAtto = spendableAtto(account);
  if (availableAtto < dueAtto)
    return accept({ type: 'StorageUnpaid', data: { ...period, dueAtto, availableAtto } });
  const terms = termsIn(command);
  const { parts } = splitFee([{ operatorId, ownAtto: dueAtto }], terms);
  const postings = transfer(tenantAccount(tenantId, 'available'), parts);
  const data = { ...period, arrearsAtto: storage.dueAtto, operatorId, ...terms, postings };
  return accept({ type: 'StorageCharged', data });
}

function flawOf(command: ChargeStorage): string | undefined {
  const { gibHoursAtto, pricePerGibHourAtto } = command;
  if (gibHoursAtto < 0n) return `gibHoursAtto: ${gibHoursAtto} is negative`;
  if (pricePerGibHourAtto < 0n) return `pricePerGibHourAtto: ${pricePerGibHourAtto} is negative`;
  return isFee(command) ? undefined : feeFlaw(command);
}
