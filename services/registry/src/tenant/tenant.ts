import { accept, reject, type Decider } from '@astro/event-sourcing/decider';
import type { TenantCommand, TenantEvent } from '@astro/messages/registry';
import { nameProblem } from '../name.js';

export type TenantRejection = 'NameIsInvalid' | 'TenantExists';

export type Tenant = { readonly status: 'absent' } | { readonly status: 'registered'; readonly name: string };

/** Who submits jobs and pays for them. */
export const tenant: Decider<Tenant, TenantCommand, TenantEvent, TenantRejection> = {
  initialState: { status: 'absent' },

  decide({ data }, tenant) {
    if (tenant.status === 'registered') {
      return tenant.name === data.name ? accept() : reject('TenantExists', `name: is ${tenant.name}`);
    }
    const problem = nameProblem('name', data.name);
    return problem === undefined
      ? accept({ type: 'TenantRegistered', data })
      : reject('NameIsInvalid', problem);
  },

  evolve: (_tenant, { data }) => ({ status: 'registered', name: data.name }),
};
