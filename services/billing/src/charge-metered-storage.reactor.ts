import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand, StorageEvent } from '@astro/messages/billing';
import type { FeeTerms } from './account/fee.js';

/** What the platform asks for keeping content, and who keeps it. */
export type StorageTerms = { readonly pricePerGibHourAtto: bigint; readonly operatorId: string };

/** What was metered is charged at the price of now. Without terms it costs nothing. */
export const chargeMeteredStorage = (
  terms: StorageTerms | undefined,
  inForce: () => FeeTerms,
): Reactor<StorageEvent, AccountCommand> => ({
  name: 'billing.charge-metered-storage',
  reads: ['billing.storage'],

  react({ event: { type, data }, recordedAt: causedAt }) {
    if (type !== 'StorageMetered' || !terms || data.gibHoursAtto === 0n) return [];
    const to = { type: 'billing.account', id: data.tenantId } as const;
    return [{ to, type: 'ChargeStorage', data: { ...data, ...terms, ...inForce(), causedAt } }];
  },
});
