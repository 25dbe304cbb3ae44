import { hash } from 'node:crypto';
import type { Decider } from '@astro/event-sourcing/decider';
import { Random } from '@astro/matching/engine/random';
import { exchangeOf } from '@astro/messages/commitment';
import type { AuditClosed, AuditCommand, AuditEvent } from '@astro/messages/verification';
import { audit, type Audit, type AuditRejection } from '@astro/verification/audit/audit';
import { secretHashOf } from '@astro/verification/audit/draw-validators';
import { commitmentOf } from '@astro/verification/commit-reveal/commit-reveal';
import type { ValidatorEconomy } from './economy.js';

/** How a validator comes by what it reveals. The last two do not run the task. */
const strategies = ['makes up', 'repeats the claim', 'copies a commitment', 'is silent'] as const;
type Strategy = 'runs' | (typeof strategies)[number];

export type AuditScenario = {
  readonly strategy: string;
  /** Of a million audits so many are planted. */
  readonly plantedPpm: number;
};

export type AuditOutcome = AuditScenario & {
  /** Audits of genuine results that ended with the wrong word about them. */
  readonly wrongVerdicts: number;
  readonly inconclusive: number;
  readonly honestSlashed: number;
  /** Audits that a cheat was drawn for until it was slashed, in the mean; null where none was. */
  readonly slashedAfter: number | null;
  /** A cheat's mean profit less an honest validator's, in ASTRO. */
  readonly profitVsHonest: number;
};

type Validator = {
  readonly id: string;
  readonly strategy: Strategy;
  drawn: number;
  correct: number;
  worked: number;
  isSlashed: boolean;
};

const VALIDATORS = 40;
const CHEATS = 8;
/** Of a million accepted results so many are wrong. */
const WRONG_PPM = 10_000;
const MILLION = 1_000_000;
const PLANTED = [0, 10_000, 100_000];
const terms = { validators: 3, commitWithinMs: 100, revealWithinMs: 100 };
const salt = '5a'.repeat(16);
const digestOf = (text: string): string => hash('sha256', text);

/** Every way of not doing the work, at each rate of planted tasks, by the decider of the product. */
export function* simulateAudits(
  audits: number,
  seed: number,
  economy: ValidatorEconomy,
): Generator<AuditOutcome> {
  for (const strategy of strategies)
    for (const plantedPpm of PLANTED)
      yield outcomeOf({ strategy, plantedPpm }, strategy, { audits, seed, economy });
}

function outcomeOf(
  scenario: AuditScenario,
  strategy: Strategy,
  {
    audits,
    seed,
    economy,
  }: { readonly audits: number; readonly seed: number; readonly economy: ValidatorEconomy },
): AuditOutcome {
  const random = new Random(seed);
  const validators = Array.from({ length: VALIDATORS }, (_, index): Validator => ({
    ...{ id: `validator_${index}`, strategy: index < CHEATS ? strategy : 'runs' },
    ...{ drawn: 0, correct: 0, worked: 0, isSlashed: false },
  }));
  let [wrongVerdicts, inconclusive] = [0, 0];
  for (let index = 0; index < audits; index++) {
    const isPlanted = random.below(MILLION) < scenario.plantedPpm;
    const isWrong = !isPlanted && random.below(MILLION) < WRONG_PPM;
    const closed = carriedOut(`task_${seed}_${index}`, { isPlanted, isWrong }, validators);
    if (closed.outcome === 'inconclusive') inconclusive += 1;
    else if (!isPlanted && (closed.outcome === 'overturned') !== isWrong) wrongVerdicts += 1;
  }
  const [cheats, sound] = [validators.slice(0, CHEATS), validators.slice(CHEATS)];
  const slashed = cheats.filter(({ isSlashed }) => isSlashed);
  const profit = ({ correct, worked, isSlashed }: Validator) =>
    (correct - worked * economy.costShare) * economy.auditAstro -
    (isSlashed ? economy.stakeAstro * economy.slashedShare : 0);
  return {
    ...{ ...scenario, wrongVerdicts, inconclusive },
    honestSlashed: sound.filter(({ isSlashed }) => isSlashed).length,
    slashedAfter: slashed.length === 0 ? null : meanOf(slashed, ({ drawn }) => drawn),
    profitVsHonest: meanOf(cheats, profit) - meanOf(sound, profit),
  };
}

type Task = { readonly isPlanted: boolean; readonly isWrong: boolean };

/** One audit from its opening to its verdict; who was wrong is slashed, and not drawn again. */
function carriedOut(
  taskId: string,
  { isPlanted, isWrong }: Task,
  validators: readonly Validator[],
): AuditClosed {
  const run = runOf(audit({ ...terms, digestOf }));
  const ids = { taskId, round: 1 };
  const truth = digestOf(`truth of ${taskId}`);
  const claimedDigest = isPlanted || isWrong ? digestOf(`lie about ${taskId}`) : truth;
  run({ type: 'OpenAudit', data: { taskId, reason: isPlanted ? 'planted' : 'sample' } });
  run({
    type: 'PrepareAudit',
    data: {
      ...{ ...ids, jobId: 'job', claimedDigest, claimants: [], secretHash: secretHashOf(taskId, digestOf) },
      work: {
        program: { cid: 'p', timeLimitMs: 1, memoryLimitMib: 1, outputLimitBytes: 1 },
        ...{ inputs: [], args: [] },
      },
      ...{ drawFromBlock: 1, drawUntil: new Date(1), ...(isPlanted && { trueDigest: truth }) },
    },
  });
  const candidates = validators
    .filter(({ isSlashed }) => !isSlashed)
    .map(({ id }) => ({ validatorId: id, operatorId: id, stakeAtto: 1n }));
  const block = { blockNumber: 1, blockHash: digestOf(`block of ${taskId}`), secret: taskId, candidates };
  run({ type: 'DrawValidators', data: { ...ids, ...block, at: new Date(0) } });
  const { exchange } = run.state as Extract<Audit, { readonly status: 'drawn' }>;
  const drawn = exchange.parties.map(id => validators.find(validator => validator.id === id)!);
  const found = new Map(
    drawn.map(validator => [validator, digestBy(validator, { taskId, truth, claimedDigest })]),
  );
  const commitments: string[] = [];
  // Whoever copies waits for others to commit.
  for (const validator of drawn.toSorted((a, b) => Number(isCopyist(a)) - Number(isCopyist(b)))) {
    validator.drawn += 1;
    const digest = found.get(validator);
    const own = commitmentOf(exchangeOf(taskId, 1), validator.id, { digest: digest ?? '', salt }, digestOf);
    const commitment = isCopyist(validator) ? commitments[0] : digest === undefined ? undefined : own;
    if (commitment === undefined) continue;
    commitments.push(commitment);
    run({ type: 'CommitVerdict', data: { ...ids, validatorId: validator.id, commitment, at: new Date(1) } });
  }
  for (const [{ id: validatorId }, digest] of found)
    if (digest !== undefined)
      run({ type: 'RevealVerdict', data: { ...ids, validatorId, digest, salt, at: new Date(101) } });
  const [closed] = run({ type: 'CloseAudit', data: { ...ids, at: new Date(201) } });
  if (closed?.type !== 'AuditClosed') throw new Error('an audit was not closed');
  for (const validator of drawn) {
    if (closed.data.correct.includes(validator.id)) validator.correct += 1;
    if (closed.data.wrong.includes(validator.id)) validator.isSlashed = true;
  }
  return closed.data;
}

const isCopyist = ({ strategy }: Validator): boolean => strategy === 'copies a commitment';

function digestBy(
  validator: Validator,
  {
    taskId,
    truth,
    claimedDigest,
  }: { readonly taskId: string; readonly truth: string; readonly claimedDigest: string },
): string | undefined {
  switch (validator.strategy) {
    case 'runs':
      validator.worked += 1;
      return truth;
    case 'makes up':
      return digestOf(`${validator.id} about ${taskId}`);
    case 'repeats the claim':
      return claimedDigest;
    // By the time of the reveal it has heard what another found.
    case 'copies a commitment':
      return truth;
    case 'is silent':
      return undefined;
  }
}

/** Decides one command after the other; a refusal changes nothing. */
function runOf(decider: Decider<Audit, AuditCommand, AuditEvent, AuditRejection>) {
  const run = (command: AuditCommand): readonly AuditEvent[] => {
    const decision = decider.decide(command, run.state);
    if (!decision.accepted) return [];
    run.state = decision.events.reduce(decider.evolve, run.state);
    return decision.events;
  };
  run.state = decider.initialState;
  return run;
}

const meanOf = <Value>(values: readonly Value[], figureOf: (value: Value) => number): number =>
  values.reduce((sum, value) => sum + figureOf(value), 0) / values.length;
