import type { JobSpec, Service } from '@astro/messages/scheduling';
import { reserveOfReplicaAtto } from '../pool/service.js';

const limits = {
  replicas: 1_000,
  runEveryMs: { min: 100, max: 86_400_000 },
  periodMs: { min: 1_000, max: 3_600_000 },
  coolDownMs: 86_400_000,
} as const;

/** The first thing that is wrong with a job as a service, by field; nothing when it is sound or no service. */
export function flawOfService(spec: JobSpec): string | undefined {
  const { service } = spec;
  if (service === undefined) return undefined;
  return flawBeside(spec) ?? flawOfBounds(service) ?? flawOfBudget(spec, service);
}

/** A service is one task that never ends, and has no result that could be compared. */
function flawBeside(spec: JobSpec): string | undefined {
  const { tasks, quorum, gang, deadline, array, maxParallel } = spec;
  if (tasks.length !== 1) return 'spec.tasks: must be one for a service';
  if (quorum !== 1) return 'spec.quorum: must be 1 for a service';
  if (gang) return 'spec.gang: must be absent for a service';
  if (array) return 'spec.array: must be absent for a service';
  if (deadline) return 'spec.deadline: must be absent for a service';
  return maxParallel === 0 ? undefined : 'spec.maxParallel: must be 0 for a service';
}

function flawOfBounds(service: Service): string | undefined {
  const { replicasMin, replicasMax, runEveryMs, periodMs, coolDownMs } = service;
  const { targetBusyThousandths, toleranceThousandths } = service;
  const at = (field: string, min: number, max: number) => `spec.service.${field}: ${min} to ${max}`;
  if (!within(replicasMin, 1, limits.replicas)) return at('replicasMin', 1, limits.replicas);
  if (!within(replicasMax, replicasMin, limits.replicas))
    return at('replicasMax', replicasMin, limits.replicas);
  if (!within(runEveryMs, limits.runEveryMs.min, limits.runEveryMs.max))
    return at('runEveryMs', limits.runEveryMs.min, limits.runEveryMs.max);
  if (!within(periodMs, limits.periodMs.min, limits.periodMs.max))
    return at('periodMs', limits.periodMs.min, limits.periodMs.max);
  if (!within(targetBusyThousandths, 1, 1_000)) return at('targetBusyThousandths', 1, 1_000);
  if (!within(toleranceThousandths, 0, 999)) return at('toleranceThousandths', 0, 999);
  if (!within(coolDownMs, 0, limits.coolDownMs)) return at('coolDownMs', 0, limits.coolDownMs);
  return undefined;
}

function flawOfBudget(spec: JobSpec, service: Service): string | undefined {
  const least = BigInt(service.replicasMin) * reserveOfReplicaAtto(spec, service);
  return service.budgetAtto < least
    ? `spec.service.budgetAtto: at least ${least} for replicasMin`
    : undefined;
}

const within = (value: number, min: number, max: number) =>
  Number.isInteger(value) && value >= min && value <= max;
