import type { Reservation, Room } from '@astro/matching/queue/admit';
import { earliestFit } from '@astro/matching/queue/earliest-fit';

export const GPUS_PER_NODE = 8;

/** What runs: the GPUs it holds of each of its nodes, and when it is expected to give them back. */
export type Running<Task> = {
  readonly task: Task;
  readonly nodes: readonly number[];
  readonly gpusPerNode: number;
  readonly startedMs: number;
  endsMs: number;
};

/** Nodes that are kept for the head of the queue from a moment on. */
export type KeptNodes = Reservation & {
  readonly nodes: ReadonlySet<number>;
  /** Of each such node, the GPUs that the head would leave over at that moment; others may take them. */
  readonly spareGpus: Map<number, number>;
};

type Gang = { readonly gpus: number };

/**
 * One pool of nodes with 8 GPUs each: up to 8 GPUs come from one node, the one with the fewest free that
 * suffice and of these the one that changed last; larger gangs take whole free nodes. This is the experiment
 * of the published baselines, which do not say how equal nodes are told apart.
 */
export class GangPool<Task extends Gang> implements Room<Task, KeptNodes> {
  readonly running = new Set<Running<Task>>();
  private readonly freeOf: Int8Array;
  /** The nodes with so many free GPUs, the one that changed last at the end. */
  private readonly nodesByFree: number[][] = Array.from({ length: GPUS_PER_NODE + 1 }, () => []);
  private nowMs = 0;

  /**
   * @param expectedEndMs when a task that started then is expected to end, seen from now
   * @param onStart is told of each start before it counts as running
   */
  constructor(
    nodes: number,
    private readonly expectedEndMs: (task: Task, startedMs: number, nowMs: number) => number,
    private readonly onStart: (started: Running<Task>) => void,
  ) {
    this.freeOf = new Int8Array(nodes).fill(GPUS_PER_NODE);
    for (let node = 0; node < nodes; node++) this.nodesByFree[GPUS_PER_NODE]!.push(node);
  }

  get freeGpus(): number {
    return this.nodesByFree.reduce((sum, nodes, gpus) => sum + gpus * nodes.length, 0);
  }

  advance(nowMs: number): void {
    this.nowMs = nowMs;
  }

  start(task: Task): boolean {
    return this.startOn(task, this.nodesFor(task, undefined));
  }

  startBeside(task: Task, { nodes, spareGpus }: KeptNodes): boolean {
    if (this.startOn(task, this.nodesFor(task, nodes))) return true;
    if (task.gpus > GPUS_PER_NODE) return false;
    for (const [node, spare] of spareGpus) {
      if (spare < task.gpus || this.freeOf[node]! < task.gpus) continue;
      spareGpus.set(node, spare - task.gpus);
      return this.startOn(task, [node]);
    }
    return false;
  }

  reserve(task: Task): KeptNodes | undefined {
    const whole = wholeNodes(task);
    const free = this.freeOf.slice();
    const ready = new Set<number>();
    free.forEach((gpus, node) => whole > 0 && gpus === GPUS_PER_NODE && ready.add(node));
    const found = earliestFit(
      this.byExpectedEnd(),
      ({ nodes, gpusPerNode }) => {
        for (const node of nodes) {
          free[node] = free[node]! + gpusPerNode;
          if (free[node] >= (whole > 0 ? GPUS_PER_NODE : task.gpus)) ready.add(node);
        }
      },
      () => {
        if (whole > 0) return ready.size >= whole ? [...ready].slice(0, whole) : undefined;
        const [tightest] = [...ready].sort((a, b) => free[a]! - free[b]! || a - b);
        return tightest === undefined ? undefined : [tightest];
      },
    );
    if (!found) return undefined;
    const nodes = found.fit;
    const needed = whole > 0 ? GPUS_PER_NODE : task.gpus;
    const spareGpus = new Map(nodes.map(node => [node, free[node]! - needed]));
    return { fromMs: found.fromMs, nodes: new Set(nodes), spareGpus };
  }

  end(ended: Running<Task>): void {
    if (!this.running.delete(ended)) throw new Error('only what runs can end');
    for (const node of ended.nodes) this.setFree(node, this.freeOf[node]! + ended.gpusPerNode);
  }

  /** Those that outlast what was expected of them are expected anew. */
  private byExpectedEnd(): readonly Running<Task>[] {
    const running = [...this.running];
    for (const lease of running) {
      if (lease.endsMs <= this.nowMs) {
        lease.endsMs = Math.max(this.nowMs + 1, this.expectedEndMs(lease.task, lease.startedMs, this.nowMs));
      }
    }
    return running.sort((a, b) => a.endsMs - b.endsMs);
  }

  private startOn(task: Task, nodes: readonly number[] | undefined): boolean {
    if (!nodes) return false;
    const gpusPerNode = Math.min(task.gpus, GPUS_PER_NODE);
    for (const node of nodes) this.setFree(node, this.freeOf[node]! - gpusPerNode);
    const endsMs = this.expectedEndMs(task, this.nowMs, this.nowMs);
    const started = { task, nodes, gpusPerNode, startedMs: this.nowMs, endsMs };
    this.onStart(started);
    this.running.add(started);
    return true;
  }

  private nodesFor(task: Task, kept: ReadonlySet<number> | undefined): readonly number[] | undefined {
    const whole = wholeNodes(task);
    if (whole > 0) {
      const free = this.nodesByFree[GPUS_PER_NODE]!.filter(node => !kept?.has(node)).reverse();
      return free.length >= whole ? free.slice(0, whole) : undefined;
    }
    for (let gpus = task.gpus; gpus <= GPUS_PER_NODE; gpus++) {
      const node = this.nodesByFree[gpus]!.findLast(candidate => !kept?.has(candidate));
      if (node !== undefined) return [node];
    }
    return undefined;
  }

  private setFree(node: number, gpus: number): void {
    const before = this.nodesByFree[this.freeOf[node]!]!;
    before.splice(before.lastIndexOf(node), 1);
    this.freeOf[node] = gpus;
    this.nodesByFree[gpus]!.push(node);
  }
}

/** How many nodes a gang takes whole; none when it shares one. */
const wholeNodes = ({ gpus }: Gang) => (gpus > GPUS_PER_NODE ? Math.ceil(gpus / GPUS_PER_NODE) : 0);
