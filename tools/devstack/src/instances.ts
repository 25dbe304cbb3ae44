import { commandPartitions } from '@astro/jetstream/subjects';
import type { ServiceName } from './services.js';

/** How many processes of each service share its work; of one service or of all. */
export type Instances = number | Partial<Record<ServiceName, number>>;

/** As many as can decide commands. */
const mostInstances = commandPartitions;

/** Names of the processes of one service: its own, and `<name>-2` and so on for further ones. */
export function instancesOf(service: ServiceName, instances: Instances = 1): readonly string[] {
  const count = typeof instances === 'number' ? instances : (instances[service] ?? 1);
  return Array.from({ length: count }, (_, index) => (index === 0 ? service : `${service}-${index + 1}`));
}

/** @throws Error */
export function assertInstances(instances: Instances = 1): void {
  const counts = typeof instances === 'number' ? [instances] : Object.values(instances);
  if (counts.some(count => !Number.isInteger(count) || count < 1 || count > mostInstances))
    throw new Error(`instances: must be from 1 to ${mostInstances}`);
}
