import type { Fact } from '@astro/chain/logs/fact';

export type StakeRole = 'operator' | 'validator';

/** By its place in the contract's enumeration. */
export const roleOf = (fact: Fact): StakeRole => (fact.amount('role') === 0n ? 'operator' : 'validator');
