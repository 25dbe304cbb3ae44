import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PERIOD_US = 100_000;
const REMOVAL_ATTEMPTS = 200;
const REMOVAL_PAUSE_MS = 10;
const CONTROLLERS = ['memory', 'pids', 'cpu'] as const;
type Controller = (typeof CONTROLLERS)[number];

export type GroupLimits = {
  readonly memoryBytes: number;
  readonly processes: number;
  readonly cpuMillis: number;
};

type Setting = readonly [file: string, value: string, isNeeded?: boolean];

/** One of the kernel's two interfaces: where groups are made, what is written there, where killing is noted. */
type Interface = {
  readonly version: 'v1' | 'v2';
  readonly parents: readonly { readonly path: string; readonly controllers: readonly Controller[] }[];
  readonly settings: (limits: GroupLimits) => Readonly<Record<Controller, readonly Setting[]>>;
  readonly killsIn: string;
};

/**
 * Groups of processes which the kernel holds to one limit together, so that many small processes get no more than a
 * large one. Made below the agent's own group, where it has the right to.
 */
export class ControlGroups {
  readonly #interface: Interface;

  private constructor(found: Interface) {
    this.#interface = found;
  }

  /** @throws Error that says why there are none for this agent */
  static async open(name: string): Promise<ControlGroups> {
    const found = (await versionOne(name)) ?? (await versionTwo(name));
    for (const { path } of found.parents)
      for (const left of await readdir(path, { withFileTypes: true }))
        if (left.isDirectory()) await removeGroup(join(path, left.name));
    return new ControlGroups(found);
  }

  get version(): string {
    return this.#interface.version;
  }

  async make(id: string, limits: GroupLimits): Promise<ControlGroup> {
    const { parents, settings, killsIn } = this.#interface;
    const group = new ControlGroup(
      parents.map(({ path }) => join(path, id)),
      killsIn,
    );
    try {
      for (const { path, controllers } of parents) {
        await mkdir(join(path, id));
        for (const [file, value, isNeeded = true] of controllers.flatMap(name => settings(limits)[name]))
          await writeFile(join(path, id, file), value).catch((error: unknown) => {
            if (isNeeded) throw error;
          });
      }
    } catch (error) {
      await group.remove();
      throw error;
    }
    return group;
  }

  async close(): Promise<void> {
    for (const { path } of this.#interface.parents) await removeGroup(path);
  }
}

export class ControlGroup {
  readonly #paths: readonly string[];
  readonly #killsIn: string;

  constructor(paths: readonly string[], killsIn: string) {
    this.#paths = paths;
    this.#killsIn = killsIn;
  }

  /** Its children follow. */
  async add(processId: number): Promise<void> {
    for (const path of this.#paths) await writeFile(join(path, 'cgroup.procs'), String(processId));
  }

  /** Whether the kernel killed one of its processes for want of memory. */
  async wasOutOfMemory(): Promise<boolean> {
    const text = await readFile(join(this.#paths[0]!, this.#killsIn), 'utf8');
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0) > 0;
  }

  async remove(): Promise<void> {
    for (const path of this.#paths) await removeGroup(path);
  }
}

/** A group whose last process has just ended is busy for a moment. */
async function removeGroup(path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rmdir(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY' || attempt === REMOVAL_ATTEMPTS) throw error;
      await sleep(REMOVAL_PAUSE_MS);
    }
  }
}

/** Each controller has a tree of its own. */
async function versionOne(name: string): Promise<Interface | undefined> {
  const [mounts, own] = await Promise.all([mountsOf('cgroup'), ownGroups()]);
  const parents: { path: string; controllers: readonly Controller[] }[] = [];
  for (const controller of CONTROLLERS) {
    const mount = mounts.find(({ options }) => options.includes(controller));
    if (!mount) return undefined;
    const path = join(mount.path, within(mount.root, own.get(controller) ?? '/'), name);
    const shared = parents.find(parent => parent.path === path);
    if (shared) shared.controllers = [...shared.controllers, controller];
    else parents.push({ path, controllers: [controller] });
  }
  for (const { path } of parents) await mkdir(path, { recursive: true });
  return {
    version: 'v1',
    parents,
    killsIn: 'memory.oom_control',
    settings: ({ memoryBytes, processes, cpuMillis }) => ({
      memory: [
        ['memory.limit_in_bytes', String(memoryBytes)],
        // Absent where swapping is not accounted.
        ['memory.memsw.limit_in_bytes', String(memoryBytes), false],
      ],
      pids: [['pids.max', String(processes)]],
      cpu: [
        ['cpu.cfs_period_us', String(PERIOD_US)],
        ['cpu.cfs_quota_us', String(quotaUs(cpuMillis))],
      ],
    }),
  };
}

/**
 * One tree. Its groups hold either processes or groups with limits, so that the agent moves to one of its own first:
 * that needs a group that was delegated to it, as by systemd's `Delegate=yes`.
 */
async function versionTwo(name: string): Promise<Interface> {
  const [[mount], own] = await Promise.all([mountsOf('cgroup2'), ownGroups()]);
  if (!mount) throw new Error('the kernel has no control groups');
  const base = join(mount.path, within(mount.root, own.get('') ?? '/'));
  const path = join(base, name);
  await mkdir(path, { recursive: true });
  await mkdir(join(base, 'astro-agent'), { recursive: true });
  await writeFile(join(base, 'astro-agent', 'cgroup.procs'), String(process.pid));
  const wanted = CONTROLLERS.map(controller => `+${controller}`).join(' ');
  for (const group of [base, path]) await writeFile(join(group, 'cgroup.subtree_control'), wanted);
  return {
    version: 'v2',
    parents: [{ path, controllers: CONTROLLERS }],
    killsIn: 'memory.events',
    settings: ({ memoryBytes, processes, cpuMillis }) => ({
      memory: [
        ['memory.max', String(memoryBytes)],
        ['memory.swap.max', '0', false],
        ['memory.oom.group', '1', false],
      ],
      pids: [['pids.max', String(processes)]],
      cpu: [['cpu.max', `${quotaUs(cpuMillis)} ${PERIOD_US}`]],
    }),
  };
}

/** The least that the kernel takes is a hundredth of the period. */
const quotaUs = (cpuMillis: number) => Math.max(PERIOD_US / 100, Math.round((cpuMillis * PERIOD_US) / 1_000));

/** `36 32 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory`, as in proc_pid_mountinfo(5). */
async function mountsOf(type: string): Promise<{ root: string; path: string; options: readonly string[] }[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.flatMap(line => {
    const [, root, path, rest] = /^\d+ \d+ \S+ (\S+) (\S+) .* - (.*)$/.exec(line) ?? [];
    const [fileSystem, , options = ''] = rest?.split(' ') ?? [];
    return root && path && fileSystem === type ? [{ root, path, options: options.split(',') }] : [];
  });
}

/** `4:memory:/path` for a controller of version 1, `0::/path` for version 2. */
async function ownGroups(): Promise<ReadonlyMap<string, string>> {
  const lines = (await readFile('/proc/self/cgroup', 'utf8')).trim().split('\n');
  return new Map(
    lines.flatMap(line => {
      const [, controllers = '', ...path] = line.split(':');
      return controllers.split(',').map(controller => [controller, path.join(':')] as const);
    }),
  );
}

/** A container sees its own part of the tree mounted as the whole. */
function within(root: string, path: string): string {
  const below = relative(root, path);
  return below.startsWith('..') ? '/' : below;
}
