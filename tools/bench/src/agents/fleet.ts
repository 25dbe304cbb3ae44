import { setTimeout as sleep } from 'node:timers/promises';
import { SimulatedNode, type Enrolling } from './simulated-node.js';

/** Each signs what the server asks it within two seconds, and all share one thread. */
const JOINING_MAX = 16;
const TICK_MS = 1_000;

/** Thousands of nodes in one process; each has its own key, connection and heartbeat. */
export class Fleet {
  readonly nodes: readonly SimulatedNode[];
  /** Those that were away at some time. */
  readonly movers = new Set<SimulatedNode>();
  readonly #away: SimulatedNode[] = [];

  /** @param enrollings where the nodes enrol and for whom: taken in turn */
  constructor(count: number, enrollings: readonly Enrolling[]) {
    this.nodes = Array.from(
      { length: count },
      (_, index) => new SimulatedNode(enrollings[index % enrollings.length]!),
    );
  }

  get present(): readonly SimulatedNode[] {
    const away = new Set(this.#away);
    return this.nodes.filter(node => !away.has(node));
  }

  async join(joined: (count: number) => void): Promise<void> {
    let count = 0;
    await inTurn(this.nodes, JOINING_MAX, async node => {
      await node.join();
      count += 1;
      joined(count);
    });
  }

  /** Each second `churn` nodes leave and as many of those that left longest ago come back, for `seconds`. */
  async churn(churn: number, seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      const nextMs = performance.now() + TICK_MS;
      const leaving = this.nodes.slice(second * churn, (second + 1) * churn);
      const returning = second < seconds / 2 ? [] : this.#away.splice(0, churn);
      await inTurn(leaving, JOINING_MAX, node => node.leave());
      for (const node of leaving) this.movers.add(node);
      this.#away.push(...leaving);
      await inTurn(returning, JOINING_MAX, node => node.comeBack());
      await sleep(Math.max(0, nextMs - performance.now()));
    }
  }

  async close(): Promise<void> {
    await inTurn(this.nodes, JOINING_MAX, node => node.leave());
  }
}

async function inTurn<Item>(
  items: readonly Item[],
  atOnce: number,
  act: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  const lane = async () => {
    for (const item of waiting) await act(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
}
