import type Docker from 'dockerode';
import { OPEN_FILES_MAX, PROCESSES_MAX, SCRATCH_FOLDER } from '../runtime/task-runtime.js';

const BYTES_PER_MIB = 1024 * 1024;
const NANO_CPUS_PER_MILLI = 1_000_000;
/** What the engine keeps of a container's streams, for their ends to be read. */
const LOG_BYTES_MAX = '1m';

export const AGENT_LABEL = 'astro.agent';

export type ContainerPlan = {
  readonly image: string;
  readonly args: readonly string[];
  /** Folder with the folders `input`, `output` and `checkpoint`. */
  readonly folder: string;
  readonly memoryLimitMib: number;
  readonly outputLimitBytes: number;
  readonly cpuMillis: number;
  readonly userId: number;
  readonly network: string | undefined;
  /** Unique ids of the devices that the lease holds. */
  readonly deviceIds: readonly string[];
  /** Folders that the image wants on the machine's disk. */
  readonly volumes: readonly string[];
  readonly agent: string;
  readonly hasCheckpoints: boolean;
  /** Where a server is to listen. */
  readonly port: number | undefined;
};

/**
 * What the engine is asked for: no right and no way to gain one, no user that the machine knows, a root that is
 * read-only, and a limit to whatever is counted. Nothing of the image widens it.
 */
export function containerRequest(plan: ContainerPlan): Docker.ContainerCreateOptions {
  const { image, args, userId, agent, network, port } = plan;
  return {
    Image: image,
    ...(args.length > 0 && { Cmd: [...args] }),
    User: `${userId}:${userId}`,
    Hostname: 'sandbox',
    WorkingDir: SCRATCH_FOLDER,
    AttachStdin: false,
    OpenStdin: false,
    Tty: false,
    // A server is reached through a network that it has for itself.
    NetworkDisabled: network === undefined && port === undefined,
    ...(port !== undefined && { Env: [`PORT=${port}`] }),
    // An image could have one that runs until the end of time.
    Healthcheck: { Test: ['NONE'] },
    Labels: { [AGENT_LABEL]: agent },
    HostConfig: hostConfig(plan),
  };
}

function hostConfig(plan: ContainerPlan): Docker.HostConfig {
  const { folder, cpuMillis, network, deviceIds } = plan;
  const memoryBytes = plan.memoryLimitMib * BYTES_PER_MIB;
  return {
    NetworkMode: network ?? 'none',
    ReadonlyRootfs: true,
    Privileged: false,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges:true'],
    IpcMode: 'private',
    Mounts: [
      { Type: 'bind', Source: `${folder}/input`, Target: '/input', ReadOnly: true },
      ...['output', ...(plan.hasCheckpoints ? ['checkpoint'] : [])].map(name => ({
        ...{ Type: 'bind' as const, Source: `${folder}/${name}`, Target: `/${name}`, ReadOnly: false },
      })),
    ],
    // What is written there is memory of the container.
    Tmpfs: Object.fromEntries(
      [SCRATCH_FOLDER, ...plan.volumes].map(path => [
        path,
        `rw,nosuid,nodev,exec,size=${memoryBytes},mode=1777`,
      ]),
    ),
    ShmSize: memoryBytes,
    Memory: memoryBytes,
    // Together with swap, so that there is none.
    MemorySwap: memoryBytes,
    NanoCpus: cpuMillis * NANO_CPUS_PER_MILLI,
    PidsLimit: PROCESSES_MAX,
    Ulimits: [
      limit('nofile', OPEN_FILES_MAX),
      limit('core', 0),
      limit('fsize', Math.max(memoryBytes, plan.outputLimitBytes + 1)),
    ],
    ...(deviceIds.length > 0 && {
      DeviceRequests: [{ Driver: 'nvidia', DeviceIDs: [...deviceIds], Capabilities: [['gpu']] }],
    }),
    LogConfig: { Type: 'json-file', Config: { 'max-size': LOG_BYTES_MAX, 'max-file': '1' } },
    RestartPolicy: { Name: 'no' },
    // Whether memory ran out is asked after the end.
    AutoRemove: false,
  };
}

const limit = (Name: string, value: number) => ({ Name, Soft: value, Hard: value });
