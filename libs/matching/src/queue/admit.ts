import type { TaskQueue, WaitingTask, Walk } from './task-queue.js';

/** Room that is kept for a task that does not fit yet: from when, and where as the pool knows it. */
export type Reservation = { readonly fromMs: number };

/** What the queue asks of the pool; the service's engine and the simulator's pool both answer it. */
export type Room<Task, Kept extends Reservation> = {
  /** Starts the task now and takes its capacity; false and nothing taken when it does not fit. */
  start(task: Task): boolean;
  /** The same, but only where the reservation stays possible even if the task never ends. */
  startBeside(task: Task, reservation: Kept): boolean;
  /** Where and when it would fit, were all running leases to end as expected; nothing when it never would. */
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
  /** How many tasks past the head are looked at in one tick. */
  readonly backfillDepthMax: number;
  /** How many start in one tick. */
  readonly startsMax: number;
  /** How far a promise may slip before the place is kept for the head alone. */
  readonly promiseGraceMs: number;
};

export const defaultAdmissionRules: AdmissionRules = {
  backfillDepthMax: 1_000,
  startsMax: 10_000,
  promiseGraceMs: 3_600_000,
};

export type Admission<Task, Kept extends Reservation> = {
  /** In the order in which they were started. */
  readonly started: readonly Task[];
  /** For the next tick; to be forgotten when a node of the reserved place leaves the pool. */
  readonly promised: Promised<Kept> | undefined;
};

export type Tick<Task extends WaitingTask, Kept extends Reservation> = {
  readonly queue: TaskQueue<Task>;
  readonly room: Room<Task, Kept>;
  readonly nowMs: number;
  /** A duration that the task hardly exceeds; what it may take beside a reservation is judged by it. */
  readonly upperMs: (task: Task) => number;
  readonly useOfEntitlement: (tenantId: string) => number;
  /** Called at once for each start, so that what a tenant holds counts in the same tick. */
  readonly onStart: (task: Task) => void;
  readonly promised: Promised<Kept> | undefined;
  readonly rules: AdmissionRules;
};

/**
 * One tick of EASY backfilling (Lifka, JSSPP 1995). Where a promise has slipped by more than the grace,
 * because predictions were wrong, its place stays the same until the head starts, and only what the head
 * leaves over there is given to others: it waits for what runs there already and for nothing else.
 */
export function admit<Task extends WaitingTask, Kept extends Reservation>(
  tick: Tick<Task, Kept>,
): Admission<Task, Kept> {
  const { queue, room, rules } = tick;
  const walk = queue.walk(tick.useOfEntitlement);
  const started: Task[] = [];
  const begin = (task: Task) => {
    started.push(task);
    tick.onStart(task);
  };

  // 1. In order, everything that fits, until something does not: that is the head.
  let promised: Promised<Kept> | undefined;
  while (!promised && started.length < rules.startsMax) {
    const task = walk.next();
    if (!task) break;
    if (room.start(task)) {
      begin(task);
      continue;
    }
    // 2. The head gets a reservation. What would not fit an empty pool must not hold up the rest.
    promised = rules.backfillDepthMax === 0 ? undefined : promiseTo(task, tick);
    walk.leaveOut(task.classKey);
    if (rules.backfillDepthMax === 0) break;
  }

  // 3. Others pass it.
  const startsLeft = () => rules.startsMax - started.length;
  if (promised) passHead(promised, walk, tick, startsLeft, begin);

  // 4. The walk is over: now the queue may change.
  for (const { taskId } of started) queue.remove(taskId);
  return { started, promised };
}

/** Starts those after the head that are gone by its reservation, or that run where it needs nothing. */
function passHead<Task extends WaitingTask, Kept extends Reservation>(
  { reservation, isHard }: Promised<Kept>,
  walk: Walk<Task>,
  { room, nowMs, rules, upperMs }: Tick<Task, Kept>,
  startsLeft: () => number,
  begin: (task: Task) => void,
): void {
  const refusedBeside = new Set<string>();
  for (let depth = 0; depth < rules.backfillDepthMax && startsLeft() > 0; depth++) {
    const task = walk.next();
    if (!task) return;
    const { classKey } = task;
    const endsInTime = !isHard && nowMs + upperMs(task) <= reservation.fromMs;
    if (!endsInTime && refusedBeside.has(classKey)) continue;
    if (endsInTime ? room.start(task) : room.startBeside(task, reservation)) begin(task);
    else if (endsInTime) walk.leaveOut(classKey);
    else refusedBeside.add(classKey);
  }
}

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
