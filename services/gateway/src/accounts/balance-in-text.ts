import type { TenantBalance } from '@astro/read-models/billing/balances';

/** Amounts as the API writes them. */
export const balanceInText = (held: TenantBalance): Record<keyof TenantBalance, string> => ({
  availableAtto: held.availableAtto.toString(),
  reservedAtto: held.reservedAtto.toString(),
  incomingAtto: held.incomingAtto.toString(),
  withdrawingAtto: held.withdrawingAtto.toString(),
  owedAtto: held.owedAtto.toString(),
});
