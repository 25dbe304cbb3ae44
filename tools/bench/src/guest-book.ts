import { accept, type Decider } from '@astro/event-sourcing/decider';
import type { OperatorCommand, OperatorEvent, TenantCommand, TenantEvent } from '@astro/messages/registry';

/**
 * The smallest work that is still work: each command is decided on the state of its aggregate, and leads to
 * one event.
 */
export const tenants: Decider<number, TenantCommand, TenantEvent> = {
  initialState: 0,
  decide: ({ data }, count) =>
    accept({ type: 'TenantRegistered', data: { tenantId: data.tenantId, name: `guest ${count}` } }),
  evolve: count => count + 1,
  snapshot: {
    version: 1,
    encode: count => new TextEncoder().encode(String(count)),
    decode: bytes => Number(new TextDecoder().decode(bytes)),
  },
};

export const operators: Decider<number, OperatorCommand, OperatorEvent> = {
  initialState: 0,
  decide: ({ data }, count) =>
    accept({ type: 'OperatorRegistered', data: { operatorId: data.operatorId, name: `guest ${count}` } }),
  evolve: count => count + 1,
};
