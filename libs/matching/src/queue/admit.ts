import type { WaitingTask, Walk } from './task-queue.js';

/** Room that is kept for a task that does not fit yet: from when, and where as the pool knows it. */
export type Reservation = { readonly fromMs: number };

/** What the queue asks of the pool; the service's engine and the simulator's pool both answer it. */
export type Room<Task, Kept extends Reservation> = {
  /** Starts the task now and takes its capacity; false and nothing taken when it does not fit. */
  start(task: Task): boolean;
  /** The same, but only where the reservation stays possible even if the task never ends. */
  startBeside(task: Task, reservation: Kept): boolean;
  /** Whether room is made for what did not fit, so that it needs no reservation. */
  makeRoom?(task: Task): boolean;
  /**
   * Where and when it would fit, were all running leases to end as expected; nothing when it never would, or when it
   * is not to have a reservation.
   */
  reserve(task: Task): Kept | undefined;
};

/** What the head of the queue was promised; the caller keeps it from one tick to the next. */
export type Promised<Kept extends Reservation> = {
  readonly taskId: string;
  readonly reservation: Kept;
  /** The first promise, which wrong predictions do not move. */
  readonly firstFromMs: number;
  /** Whether the promise slipped so far that its place is fixed, and nobody passes there on a prediction. */
  readonly isHard: boolean;
};

export type AdmissionRules = {
  /** How many tasks past the head are looked at in one tick; with none the head holds up all others. */
  readonly backfillDepthMax: number;
  /** How many start in one tick. */
  readonly startsMax: number;
  /** How far a promise may slip before the place is kept for the head alone. */
  readonly promiseGraceMs: number;
  /** Whether tasks of a class end alike, so that what one of them may not do beside a reservation none may. */
  readonly endsByClass: boolean;
};

export const defaultAdmissionRules: AdmissionRules = {
  backfillDepthMax: 1_000,
  startsMax: 10_000,
  promiseGraceMs: 3_600_000,
  endsByClass: false,
};

export type Admission<Task, Kept extends Reservation> = {
  /** In the order in which they were started. */
  readonly started: readonly Task[];
  /** For the next tick; to be forgotten when a node of the reserved place leaves the pool. */
  readonly promised: Promised<Kept> | undefined;
};

export type Tick<Task extends WaitingTask, Kept extends Reservation> = {
  /** What waits, in order. What is started leaves the queue when the tick is over. */
  readonly walk: Pick<Walk<Task>, 'next' | 'leaveOut'>;
  readonly room: Room<Task, Kept>;
  readonly nowMs: number;
  /** A duration that the task hardly exceeds; what it may take beside a reservation is judged by it. */
  readonly upperMs: (task: Task) => number;
  /** Called at once for each start, so that what a tenant holds counts in the same tick. */
  readonly onStart: (task: Task) => void;
  readonly promised: Promised<Kept> | undefined;
  readonly rules: AdmissionRules;
};

/**
 * One tick of EASY backfilling (Lifka, JSSPP 1995): in order, everything that fits; the first that does not and can
 * have a reservation is the head, and others pass it only when they are gone by then, or where it needs nothing. Where
 * a promise has slipped by more than the grace, because predictions were wrong, its place stays the same until the head
 * starts, and only what the head leaves over there is given to others: it waits for what runs there already and for
 * nothing else.
 */
export function admit<Task extends WaitingTask, Kept extends Reservation>(
  tick: Tick<Task, Kept>,
): Admission<Task, Kept> {
  const { walk, room, nowMs, rules } = tick;
  const started: Task[] = [];
  const refusedBeside = new Set<string>();
  let promised: Promised<Kept> | undefined;
  for (let passing = 0; passing < rules.backfillDepthMax || !promised; passing += promised ? 1 : 0) {
    const task = started.length < rules.startsMax ? walk.next() : undefined;
    if (!task) break;
    const { classKey } = task;

    // 1. What it has to leave alone.
    const beside =
      promised && keptFrom(promised.reservation, promised.isHard ? Infinity : nowMs + tick.upperMs(task));
    if (beside && refusedBeside.has(classKey)) continue;

    // 2. It starts where it fits.
    if (beside ? room.startBeside(task, beside) : room.start(task)) {
      started.push(task);
      tick.onStart(task);
      continue;
    }
    if (rules.backfillDepthMax === 0) break;

    // 3. The head gets a reservation. What would not fit an empty pool must not hold up the rest.
    if (!room.makeRoom?.(task)) promised ??= promiseTo(task, tick);
    if (beside && !rules.endsByClass) refusedBeside.add(classKey);
    else walk.leaveOut(classKey);
  }
  return { started, promised };
}

/** The reservation that a task has to leave alone, unless it has ended by then. */
export const keptFrom = <Kept extends Reservation>(reservation: Kept, endsMs: number): Kept | undefined =>
  endsMs > reservation.fromMs ? reservation : undefined;

/** The promise to the head, which outlives the tick; nothing when no empty pool would host it. */
function promiseTo<Task extends WaitingTask, Kept extends Reservation>(
  head: Task,
  { room, nowMs, promised, rules }: Tick<Task, Kept>,
): Promised<Kept> | undefined {
  const before = promised?.taskId === head.taskId ? promised : undefined;
  if (before?.isHard) return before;
  const reservation = room.reserve(head);
  if (!reservation) return undefined;
  const { taskId } = head;
  const firstFromMs = before?.firstFromMs ?? reservation.fromMs;
  const isHard = nowMs > firstFromMs + rules.promiseGraceMs;
  return { taskId, reservation, firstFromMs, isHard };
}
