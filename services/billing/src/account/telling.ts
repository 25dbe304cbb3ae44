import { accept } from '@astro/event-sourcing/decider';
import { countBudgets } from './count-budgets.js';
import type { AccountDecider } from './decision.js';
import { lowBalanceAfter } from './low-balance.js';

/** Decides as `money` does, counts what follows under budgets, and tells the tenant what it wants to be told. */
export const telling = (money: AccountDecider): AccountDecider => ({
  get initialState() {
    return money.initialState;
  },

  decide(command, account) {
    const decision = money.decide(command, account);
    if (!decision.accepted || (account.budgets.size === 0 && !account.lowBalance)) return decision;
    const causedAt = 'causedAt' in command.data ? command.data.causedAt : undefined;
    const counted = countBudgets(decision.events, account, causedAt);
    return accept(...counted, ...lowBalanceAfter(decision.events, account));
  },

  evolve: (account, event) => money.evolve(account, event),
  ...(money.snapshot && { snapshot: money.snapshot }),
});
