import { fork, type ChildProcess } from 'node:child_process';
import { rssMbOf } from './server-memory.js';
import type { Enrolling } from './simulated-node.js';

export type FleetWord =
  | { readonly kind: 'join'; readonly nodes: number; readonly enrollings: readonly Enrolling[] }
  | { readonly kind: 'churn'; readonly churn: number; readonly seconds: number }
  | { readonly kind: 'close' };

export type NodeState = {
  readonly nodeId: string;
  readonly isPresent: boolean;
  /** Whether it was away at some time. */
  readonly hasMoved: boolean;
};

export type FleetAnswer =
  | { readonly kind: 'joined'; readonly count: number }
  | { readonly kind: 'done'; readonly nodes?: readonly NodeState[] | undefined }
  | { readonly kind: 'failed'; readonly reason: string };

const ENTRY = new URL('../../dist/agents/fleet-process.js', import.meta.url).pathname;

/** The whole fleet, in as many processes as it takes: one may have only so many connections. */
export class Fleets {
  nodes: readonly NodeState[] = [];

  private constructor(private readonly children: readonly ChildProcess[]) {}

  static async start(processes: number): Promise<Fleets> {
    const children = Array.from({ length: processes }, () => fork(ENTRY, { serialization: 'advanced' }));
    await Promise.all(children.map(child => settled(child)));
    return new Fleets(children);
  }

  get present(): readonly NodeState[] {
    return this.nodes.filter(({ isPresent }) => isPresent);
  }

  /** Of all its processes. */
  get rssMb(): number {
    return rssMbOf([ENTRY]);
  }

  /** @param joined hears how many are there, now and again */
  join(nodes: number, enrollings: readonly Enrolling[], joined: (count: number) => void): Promise<void> {
    const counts = this.children.map(() => 0);
    return this.tell(
      (index, share) => ({ kind: 'join', nodes: share(nodes), enrollings: rotated(enrollings, index) }),
      (index, count) => {
        counts[index] = count;
        joined(counts.reduce((sum, each) => sum + each, 0));
      },
    );
  }

  /** Each second `churn` nodes leave and as many of those that left longest ago come back, for `seconds`. */
  churn(churn: number, seconds: number): Promise<void> {
    return this.tell((_index, share) => ({ kind: 'churn', churn: share(churn), seconds }));
  }

  async close(): Promise<void> {
    await this.tell(() => ({ kind: 'close' })).catch(() => undefined);
    for (const child of this.children) if (child.connected) child.disconnect();
  }

  /** Each process does its share of it. */
  private async tell(
    wordFor: (index: number, share: (whole: number) => number) => FleetWord,
    joined: (index: number, count: number) => void = () => undefined,
  ): Promise<void> {
    const { length } = this.children;
    const answers = await Promise.all(
      this.children.map((child, index) => {
        const share = (whole: number) => Math.floor((whole + index) / length);
        child.send(wordFor(index, share));
        return settled(child, count => joined(index, count));
      }),
    );
    this.nodes = answers.flatMap(({ nodes = [] }) => nodes);
  }
}

/** So that small parts of a fleet are not all of the same operators. */
const rotated = <Item>(items: readonly Item[], by: number): readonly Item[] => [
  ...items.slice(by % items.length),
  ...items.slice(0, by % items.length),
];

/** @throws Error when the process fails, or ends before it is done */
function settled(
  child: ChildProcess,
  joined: (count: number) => void = () => undefined,
): Promise<FleetAnswer & { readonly kind: 'done' }> {
  return new Promise((resolve, reject) => {
    const end = () => reject(new Error('a part of the fleet ended early'));
    const hear = (answer: FleetAnswer) => {
      if (answer.kind === 'joined') return joined(answer.count);
      child.off('exit', end).off('message', hear);
      if (answer.kind === 'done') resolve(answer);
      else reject(new Error(answer.reason));
    };
    child.on('exit', end).on('message', hear);
  });
}
