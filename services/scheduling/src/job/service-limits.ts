import { runtimeOf } from '@astro/messages/runtimes';
import type { HealthCheck, JobSpec, Server, Service } from '@astro/messages/scheduling';
import { reserveOfReplicaAtto } from '../pool/service.js';

const limits = {
  replicas: 1_000,
  runEveryMs: { min: 100, max: 86_400_000 },
  periodMs: { min: 1_000, max: 3_600_000 },
  coolDownMs: 86_400_000,
  port: { min: 1_024, max: 65_535 },
  requestsAtOnce: 256,
  answerWithinMs: { min: 100, max: 600_000 },
  healthPathLength: 200,
  probeMs: { min: 100, max: 60_000 },
  probes: 20,
  startWithinMs: { min: 1_000, max: 3_600_000 },
} as const;

/** A path as requests name it: no query, and nothing that would have to be escaped. */
const HEALTH_PATH = /^\/[\w.~!$&'()*+,;=:@%/-]*$/;

/** The first thing that is wrong with a job as a service, by field; nothing when it is sound or no service. */
export function flawOfService(spec: JobSpec): string | undefined {
  const { service } = spec;
  if (service === undefined) return undefined;
  return (
    flawBeside(spec) ??
    flawOfBounds(service) ??
    (service.server ? flawOfServer(spec, service, service.server) : flawOfRuns(service)) ??
    flawOfBudget(spec, service)
  );
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
  const { replicasMin, replicasMax, periodMs, coolDownMs } = service;
  const { targetBusyThousandths, toleranceThousandths } = service;
  if (!within(replicasMin, 1, limits.replicas)) return at('replicasMin', 1, limits.replicas);
  if (!within(replicasMax, replicasMin, limits.replicas))
    return at('replicasMax', replicasMin, limits.replicas);
  if (!within(periodMs, limits.periodMs.min, limits.periodMs.max))
    return at('periodMs', limits.periodMs.min, limits.periodMs.max);
  if (!within(targetBusyThousandths, 1, 1_000)) return at('targetBusyThousandths', 1, 1_000);
  if (!within(toleranceThousandths, 0, 999)) return at('toleranceThousandths', 0, 999);
  if (!within(coolDownMs, 0, limits.coolDownMs)) return at('coolDownMs', 0, limits.coolDownMs);
  return undefined;
}

function flawOfRuns({ runEveryMs }: Service): string | undefined {
  const { min, max } = limits.runEveryMs;
  return within(runEveryMs, min, max) ? undefined : at('runEveryMs', min, max);
}

function flawOfServer({ program }: JobSpec, { runEveryMs }: Service, server: Server): string | undefined {
  const { port, protocol, requestsAtOnce, answerWithinMs, health } = server;
  if (runtimeOf(program) === 'wasm') return 'spec.program.runtime: must be process or container for a server';
  if (program.needsNetwork) return 'spec.program.needsNetwork: must be false for a server';
  if (runEveryMs !== 0) return 'spec.service.runEveryMs: must be 0 for a server';
  if (protocol !== 'http') return 'spec.service.server.protocol: must be http';
  if (!within(port, limits.port.min, limits.port.max))
    return at('server.port', limits.port.min, limits.port.max);
  if (!within(requestsAtOnce, 1, limits.requestsAtOnce))
    return at('server.requestsAtOnce', 1, limits.requestsAtOnce);
  if (!within(answerWithinMs, limits.answerWithinMs.min, limits.answerWithinMs.max))
    return at('server.answerWithinMs', limits.answerWithinMs.min, limits.answerWithinMs.max);
  return flawOfHealthCheck(health);
}

function flawOfHealthCheck(health: HealthCheck): string | undefined {
  const { path, healthyAfter, unhealthyAfter, startWithinMs } = health;
  if (path.length > limits.healthPathLength || !HEALTH_PATH.test(path))
    return `spec.service.server.health.path: must be a path of at most ${limits.healthPathLength} characters`;
  for (const field of ['intervalMs', 'timeoutMs'] as const)
    if (!within(health[field], limits.probeMs.min, limits.probeMs.max))
      return at(`server.health.${field}`, limits.probeMs.min, limits.probeMs.max);
  if (!within(healthyAfter, 1, limits.probes)) return at('server.health.healthyAfter', 1, limits.probes);
  if (!within(unhealthyAfter, 1, limits.probes)) return at('server.health.unhealthyAfter', 1, limits.probes);
  return within(startWithinMs, limits.startWithinMs.min, limits.startWithinMs.max)
    ? undefined
    : at('server.health.startWithinMs', limits.startWithinMs.min, limits.startWithinMs.max);
}

function flawOfBudget(spec: JobSpec, service: Service): string | undefined {
  const least = BigInt(service.replicasMin) * reserveOfReplicaAtto(spec, service);
  return service.budgetAtto < least
    ? `spec.service.budgetAtto: at least ${least} for replicasMin`
    : undefined;
}

const within = (value: number, min: number, max: number) =>
  Number.isInteger(value) && value >= min && value <= max;

const at = (field: string, min: number, max: number) => `spec.service.${field}: ${min} to ${max}`;
