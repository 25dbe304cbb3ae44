import { derivedId } from '@astro/event-sourcing/ids';
import type { Directed, GatheringReactor } from '@astro/event-sourcing/reactor';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { Bus } from './bus.js';
import type { CommandBus } from './command-bus.js';
import { backOffMs, delay } from './delay.js';
import type { Fence } from './fence.js';
import type { Part, Unit } from './holding.js';
import { consumerNameOf, Lane, recordedFrom } from './lane.js';
import { reasonOf, type Log } from './log.js';
import { contextOf, eventStreamOf } from './subjects.js';

/** Events of one run; as many again come in meanwhile. */
const MAX_RUN = 4_096;
/** After a run of more than this, the next one waits for company. */
const FEW = 32;
const MAX_WAIT_MS = 1_000;
const OUTCOME_TIMEOUT_MS = 5_000;
const RETRY_BACK_OFF = { baseMs: 250, maxMs: 10_000 };
const UNHEALTHY_AFTER_ATTEMPTS = 3;
/** A run that were given up would be overtaken by the next one, and lost: it is tried for ever. */
const NEVER = 1_000_000_000;

type Gathered = { readonly recorded: Recorded; resolve(): void; reject(error: Error): void };

/**
 * Sends the few commands that follow from many events, in the order of the stream: the next run begins when every
 * command of the last one was accepted. What comes alone goes at once; while much comes, a run waits up to a second.
 */
export function gatheringUnit(
  bus: Bus,
  reactor: GatheringReactor,
  commandBus: Pick<CommandBus, 'request'>,
  log: Log,
): Unit {
  const durable = consumerNameOf(`${reactor.name}_reactor`);
  return {
    name: `reactor-${durable}`,
    open(fence) {
      const gatherer = new Gatherer(reactor, commandBus, fence, log);
      const options = {
        stream: eventStreamOf(contextOf(reactor.reads)),
        durable,
        filterSubjects: reactor.gathers.map(name => `evt.${reactor.reads}.*.${name}`),
        retry: 'in-place',
        maxInFlight: 2 * MAX_RUN,
        maxDeliveries: NEVER,
        keyOf: ({ position }: { readonly position: number }) => String(position),
        fence,
      } as const;
      const lane = new Lane(
        bus,
        { ...options, handle: message => gatherer.take(recordedFrom(message)) },
        log,
      );
      return gatherer.inFrontOf(lane);
    },
  };
}

class Refused extends Error {
  override readonly name = 'Refused';
}

class Gatherer {
  readonly #reactor: GatheringReactor;
  readonly #commandBus: Pick<CommandBus, 'request'>;
  readonly #fence: Fence;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  #gathered: Gathered[] = [];
  #isRunning = false;
  #isStuck = false;

  constructor(reactor: GatheringReactor, commandBus: Pick<CommandBus, 'request'>, fence: Fence, log: Log) {
    this.#reactor = reactor;
    this.#commandBus = commandBus;
    this.#fence = fence;
    this.#log = log;
  }

  inFrontOf(lane: Lane): Part {
    const isStuck = () => this.#isStuck;
    return {
      start: () => lane.start(),
      stop: () => {
        this.#stopping.abort();
        return lane.stop();
      },
      get healthy() {
        return lane.healthy && !isStuck();
      },
      get handled() {
        return lane.handled;
      },
    };
  }

  /** Resolves when everything that follows from the event was done. */
  take(recorded: Recorded): Promise<void> {
    if (this.#isOver) return Promise.reject(stopped());
    return new Promise((resolve, reject) => {
      this.#gathered.push({ recorded, resolve, reject });
      if (this.#isRunning) return;
      this.#isRunning = true;
      // Whatever was delivered together comes within this turn.
      setImmediate(() => void this.#run());
    });
  }

  get #isOver(): boolean {
    return this.#stopping.signal.aborted || !this.#fence.isHeld;
  }

  async #run(): Promise<void> {
    while (this.#gathered.length > 0 && !this.#isOver) {
      const startedMs = performance.now();
      const run = this.#gathered.splice(0, MAX_RUN);
      const isDone = await this.#carryOut(run.map(({ recorded }) => recorded));
      for (const { resolve, reject } of run) {
        if (isDone) resolve();
        else reject(stopped());
      }
      if (run.length > FEW) await this.#waitForCompany(startedMs + MAX_WAIT_MS);
    }
    this.#isRunning = false;
    if (this.#isOver) for (const { reject } of this.#gathered.splice(0)) reject(stopped());
  }

  async #waitForCompany(untilMs: number): Promise<void> {
    while (performance.now() < untilMs && this.#gathered.length < MAX_RUN && !this.#isOver) await delay(10);
  }

  /** Whether every command was accepted; false only when it must stop. */
  async #carryOut(run: readonly Recorded[]): Promise<boolean> {
    let refusals = 0;
    for (let attempt = 1; !this.#isOver; attempt++) {
      try {
        const commands = this.#reactor.reactToAll(run);
        await Promise.all(commands.map(command => this.#request(command, run, refusals)));
        this.#isStuck = false;
        return true;
      } catch (error) {
        if (error instanceof Refused) refusals += 1;
        const position = run[0]!.position;
        this.#log.warn(`${this.#reactor.name} failed`, { position, attempt, reason: reasonOf(error) });
        this.#isStuck = attempt >= UNHEALTHY_AFTER_ATTEMPTS;
        await delay(backOffMs(attempt, RETRY_BACK_OFF), this.#stopping.signal);
      }
    }
    return false;
  }

  /** A refusal is remembered under the id of its command, so that it is asked again under another. */
  async #request(command: Directed, run: readonly Recorded[], refusals: number): Promise<void> {
    const { name } = this.#reactor;
    const [first, last] = [run[0]!, run.at(-1)!];
    const { correlationId } = last.metadata;
    const outcome = await this.#commandBus.request(command, {
      id: derivedId('cmd', name, command.to.type, command.to.id, first.id, last.id, refusals),
      metadata: { correlationId, causationId: last.id, actor: `service:${name}` },
      timeoutMs: OUTCOME_TIMEOUT_MS,
    });
    if (!outcome) throw new Error(`${command.type} of ${command.to.id} has no outcome yet`);
    if (!outcome.accepted) {
      throw new Refused(`${command.to.id} refused ${command.type}: ${outcome.rejection} ${outcome.detail}`);
    }
  }
}

const stopped = () => new Error('this process gathers no more');
