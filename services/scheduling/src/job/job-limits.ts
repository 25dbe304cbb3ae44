import { isDeepStrictEqual } from 'node:util';
import { arrayFault } from '@astro/matching/queue/array-job';
import { expandArray, inputsFault } from '@astro/matching/queue/array-template';
import { flawOfEncryption } from './encryption-limits.js';
import { flawOfFunding } from './funding-limits.js';
import { flawOfRuntime, isCid } from './program-limits.js';
import { flawOfService } from './service-limits.js';
import { flawOfVerification } from './verification-limits.js';
import type { JobSpec, Program, Requirements, TaskSpec } from '@astro/messages/scheduling';

/** Bounds of one job. A job is one event, so they also keep it well below the bus's largest message. */
export const jobLimits = {
  nameLength: 200,
  tasks: 1_000,
  quorum: 5,
  inputsOfTask: 64,
  argsOfTask: 64,
  argLength: 1_024,
  regions: 64,
  timeLimitMs: 3_600_000,
  memoryLimitMib: 1_048_576,
  outputLimitBytes: 1 << 30,
  inputBytesOfTask: 2 ** 40,
  cpuMillis: 1_024_000,
  memoryMib: 16_777_216,
  diskMib: 4_294_967_295,
  bandwidthMbps: 1_600_000,
  deviceCount: 64,
  labelLength: 120,
  priority: 9,
  checkpointsEveryMs: { min: 1_000, max: 3_600_000 },
  /** As large as content may be. */
  checkpointBytes: 1 << 26,
} as const;

/** Ids become tokens of subjects and parts of file names. */
const ID = /^[A-Za-z0-9_-]{1,90}$/;
const FILE_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$/;
const PROJECT = /^[A-Za-z0-9._-]{1,64}$/;

export const isToken = (text: string): boolean => ID.test(text);
export const isFileName = (text: string): boolean => FILE_NAME.test(text);

/** The first thing that is wrong with a job's specification, by field; nothing when it is sound. */
export const flawOf = (spec: JobSpec): string | undefined =>
  flawOfJob(spec) ??
  flawOfOrder(spec) ??
  flawOfProgram(spec.program) ??
  flawOfRequirements(spec.requirements) ??
  flawOfArray(spec) ??
  flawOfService(spec) ??
  flawOfFunding(spec) ??
  flawOfVerification(spec) ??
  flawOfCheckpoints(spec) ??
  flawOfEncryption(spec) ??
  flawOfTransfer(spec) ??
  spec.tasks.reduce<string | undefined>((flaw, task, index) => flaw ?? flawOfTask(task, index), undefined);

function flawOfJob({ name, tasks, quorum, project }: JobSpec): string | undefined {
  if (name.length > jobLimits.nameLength) return `spec.name: at most ${jobLimits.nameLength} characters`;
  if (project !== undefined && !PROJECT.test(project))
    return 'spec.project: must be 1 to 64 letters, digits, `.`, `_` or `-`';
  if (!within(tasks.length, jobLimits.tasks)) return `spec.tasks: 1 to ${jobLimits.tasks} tasks`;
  if (new Set(tasks.map(task => task.taskId)).size < tasks.length) return 'spec.tasks: taskId must be unique';
  if (!within(quorum, jobLimits.quorum)) return `spec.quorum: 1 to ${jobLimits.quorum}`;
  return undefined;
}

function flawOfOrder(spec: JobSpec): string | undefined {
  const { priority, expectedDurationMs, maxParallel, gang, quorum, program } = spec;
  if (!upTo(priority, jobLimits.priority)) return `spec.priority: 0 to ${jobLimits.priority}`;
  if (!upTo(expectedDurationMs, program.timeLimitMs))
    return `spec.expectedDurationMs: 0 to the program's limit of ${program.timeLimitMs}`;
  if (!upTo(maxParallel, jobLimits.tasks)) return `spec.maxParallel: 0 to ${jobLimits.tasks}`;
  const booking = flawOfBooked(spec);
  if (booking) return booking;
  if (gang === undefined) return undefined;
  if (spec.leaseClass === 'interruptible')
    return 'spec.leaseClass: must not be interruptible for a gang, which a lost member would leave incomplete';
  if (gang.topology === 'unspecified') return 'spec.gang.topology: must be specified';
  // Replicas go to different operators, which a gang on one node could not.
  if (quorum !== 1) return 'spec.quorum: must be 1 for a gang';
  if (maxParallel !== 0) return 'spec.maxParallel: must be 0 for a gang';
  return undefined;
}

/** What runs in a booking is paid with it. A service has no end that would lie before that of the booking. */
function flawOfBooked({ bookingId, leaseClass, service, funding }: JobSpec): string | undefined {
  if (bookingId === undefined) return undefined;
  if (!isToken(bookingId)) return 'spec.bookingId: must be an id';
  if (leaseClass !== 'reserved') return 'spec.leaseClass: must be reserved for a job in a reservation';
  if (funding) return 'spec.funding: must be absent for a job in a reservation';
  return service ? 'spec.bookingId: must be absent for a service' : undefined;
}

function flawOfProgram(program: Program): string | undefined {
  const { timeLimitMs, memoryLimitMib, outputLimitBytes } = program;
  if (!within(timeLimitMs, jobLimits.timeLimitMs))
    return `spec.program.timeLimitMs: 1 to ${jobLimits.timeLimitMs}`;
  if (!within(memoryLimitMib, jobLimits.memoryLimitMib))
    return `spec.program.memoryLimitMib: 1 to ${jobLimits.memoryLimitMib}`;
  if (!within(outputLimitBytes, jobLimits.outputLimitBytes))
    return `spec.program.outputLimitBytes: 1 to ${jobLimits.outputLimitBytes}`;
  return flawOfRuntime(program);
}

export function flawOfRequirements(needs: Requirements): string | undefined {
  if (needs.deviceKind === 'unspecified') return 'spec.requirements.deviceKind: must be specified';
  if (!within(needs.cpuMillis, jobLimits.cpuMillis))
    return `spec.requirements.cpuMillis: 1 to ${jobLimits.cpuMillis}`;
  if (!within(needs.memoryMib, jobLimits.memoryMib))
    return `spec.requirements.memoryMib: 1 to ${jobLimits.memoryMib}`;
  if (!Number.isInteger(needs.deviceMemoryMib) || needs.deviceMemoryMib < 0)
    return 'spec.requirements.deviceMemoryMib: must be a whole number of at least 0';
  if (!upTo(needs.diskMib, jobLimits.diskMib)) return `spec.requirements.diskMib: 0 to ${jobLimits.diskMib}`;
  if (!upTo(needs.bandwidthMbps, jobLimits.bandwidthMbps))
    return `spec.requirements.bandwidthMbps: 0 to ${jobLimits.bandwidthMbps}`;
  if (!upTo(needs.minReliabilityThousandths, 1_000))
    return 'spec.requirements.minReliabilityThousandths: 0 to 1000';
  if (needs.attestations.includes('unspecified')) return 'spec.requirements.attestations: must be specified';
  if (new Set(needs.attestations).size < needs.attestations.length)
    return 'spec.requirements.attestations: must not repeat';
  for (const field of ['regions', 'regionsDenied', 'countries', 'countriesDenied'] as const)
    if (needs[field].length > jobLimits.regions)
      return `spec.requirements.${field}: at most ${jobLimits.regions}`;
  if (needs.maxPricePerSecondAtto < 1n) return 'spec.requirements.maxPricePerSecondAtto: at least 1';
  return flawOfDevices(needs);
}

/** 0 is what was submitted before devices were counted and shared: one whole device. */
function flawOfDevices(needs: Requirements): string | undefined {
  const { deviceKind, deviceCount, deviceShareThousandths, sliceProfile, deviceModel, deviceVendor } = needs;
  const at = (field: string, rule: string) => `spec.requirements.${field}: ${rule}`;
  if (!upTo(deviceCount, jobLimits.deviceCount)) return at('deviceCount', `0 to ${jobLimits.deviceCount}`);
  if (!upTo(deviceShareThousandths, 1_000)) return at('deviceShareThousandths', '0 to 1000');
  for (const [field, label] of Object.entries({ sliceProfile, deviceModel, deviceVendor }))
    if (label.length > jobLimits.labelLength) return at(field, `at most ${jobLimits.labelLength} characters`);
  const isShared = deviceShareThousandths % 1_000 !== 0;
  if (deviceKind === 'cpu') {
    if (deviceCount > 1) return at('deviceCount', 'must be 1 for a cpu, which is held by cpuMillis');
    if (isShared) return at('deviceShareThousandths', 'must be 1000 for a cpu, which is held by cpuMillis');
    if (sliceProfile !== '') return at('sliceProfile', 'must be empty for a cpu');
  }
  if (isShared && sliceProfile !== '')
    return at('deviceShareThousandths', 'must be 1000 for slices, which are held whole');
  return undefined;
}

/** What may have to be moved must be known where it costs something: the reservation covers it. */
function flawOfTransfer({ requirements, inputSizes, tasks }: JobSpec): string | undefined {
  const { maxPricePerGibTransferredAtto: maxPriceAtto } = requirements;
  if (maxPriceAtto !== undefined && maxPriceAtto < 1n)
    return 'spec.requirements.maxPricePerGibTransferredAtto: at least 1, or absent';
  if (!inputSizes)
    return maxPriceAtto === undefined
      ? undefined
      : 'spec.inputSizes: must be there where maxPricePerGibTransferredAtto is';
  const { taskBytes } = inputSizes;
  if (taskBytes.length !== tasks.length)
    return `spec.inputSizes.taskBytes: one for each of ${tasks.length} tasks`;
  const wrong = taskBytes.findIndex(bytes => !upTo(bytes, jobLimits.inputBytesOfTask));
  return wrong < 0 ? undefined : `spec.inputSizes.taskBytes[${wrong}]: 0 to ${jobLimits.inputBytesOfTask}`;
}

function flawOfCheckpoints({ checkpoints, service }: JobSpec): string | undefined {
  if (!checkpoints) return undefined;
  const { min, max } = jobLimits.checkpointsEveryMs;
  const { everyMs, sizeLimitBytes } = checkpoints;
  if (!Number.isInteger(everyMs) || everyMs < min || everyMs > max)
    return `spec.checkpoints.everyMs: ${min} to ${max}`;
  if (!within(sizeLimitBytes, jobLimits.checkpointBytes))
    return `spec.checkpoints.sizeLimitBytes: 1 to ${jobLimits.checkpointBytes}`;
  // Each run of a replica begins anew.
  return service ? 'spec.checkpoints: must be absent for a service' : undefined;
}

/** What an array says of itself is shown to people, so that it must be what its tasks are. */
function flawOfArray({ array, tasks, maxParallel }: JobSpec): string | undefined {
  if (array === undefined) return undefined;
  const { count } = array;
  const size = arrayFault({ size: count, maxParallel: maxParallel === 0 ? count : maxParallel });
  if (size) return `spec.array.${size.replace(/^size/, 'count').replace(/\bsize\b/, 'count')}`;
  if (tasks.length !== count) return `spec.array.count: must be the number of tasks, ${tasks.length}`;
  const inputs = inputsFault(array);
  if (inputs) return `spec.array.${inputs}`;
  const expanded = expandArray(array, index => tasks[index]!.taskId);
  return isDeepStrictEqual(expanded, tasks) ? undefined : 'spec.tasks: must be those of spec.array';
}

function flawOfTask({ taskId, inputs, args }: TaskSpec, index: number): string | undefined {
  const at = `spec.tasks[${index}]`;
  if (!isToken(taskId)) return `${at}.taskId: must be an id`;
  if (inputs.length > jobLimits.inputsOfTask) return `${at}.inputs: at most ${jobLimits.inputsOfTask}`;
  if (new Set(inputs.map(input => input.name)).size < inputs.length)
    return `${at}.inputs: name must be unique`;
  if (!inputs.every(input => isFileName(input.name))) return `${at}.inputs: name must be a file name`;
  if (!inputs.every(input => isCid(input.cid))) return `${at}.inputs: cid must be a content id`;
  if (args.length > jobLimits.argsOfTask) return `${at}.args: at most ${jobLimits.argsOfTask}`;
  if (args.some(arg => arg.length > jobLimits.argLength))
    return `${at}.args: at most ${jobLimits.argLength} characters each`;
  return undefined;
}

const upTo = (value: number, max: number) => value === 0 || within(value, max);
const within = (value: number, max: number) => Number.isInteger(value) && value >= 1 && value <= max;
