import { Random } from '@astro/matching/engine/random';
import { Kinship } from '@astro/matching/spread/kinship';
import { collusion } from '@astro/verification/collusion/collusion';
import type { Adaptive } from '@astro/verification/policies/adaptive';
import { drawOf } from '@astro/verification/policies/draw';
import {
  MILLION,
  type Judgement,
  type Report,
  type VerificationPolicy,
} from '@astro/verification/policies/policy';
import {
  judged,
  reputationFigures,
  standingOf,
  type Judged,
} from '@astro/verification/reputation/reputation';
import type { NotedVerdict } from '@astro/messages/verification';
import type { SimulatedNode, Unaudited } from './node.js';

/** A policy, and how the platform asks by it. */
export type Judging = {
  readonly policy: VerificationPolicy;
  /** All that are asked at first get the task at the same time, and can see each other. */
  readonly asksAtOnce: boolean;
  /** The fewest that are asked about a node of the best standing. */
  readonly replicasMin: number;
  /** What becomes of results that were believed alone, once their node is refuted or leaves. */
  readonly runsAgain?: Adaptive['runsAgain'];
};

export type Counts = {
  accepted: number;
  undecided: number;
  replicas: number;
  /** Wrong results that a client was given. */
  wrongDelivered: number;
  /** Those of them that were found and replaced since. */
  wrongReplaced: number;
};

const MAX_REPLICAS = 7;
const UNAUDITED_MAX = 2_000;
const TRUTH = 'truth';
const POOL = 'main';
/** Verdicts that are noted together. */
const RUN_MAX = 1_000;
/** A run is short against what halves what was counted. */
const MOMENT = new Date(Date.UTC(2026, 0, 1));
/** The one that no audit takes. */
const LAST_DRAW = MILLION - 1;

type Held = { readonly node: SimulatedNode; readonly claim: string };

/** A market in which every task is done and judged by the rules of the product. The same seed gives the same run. */
export class Simulation {
  readonly counts: Counts = { accepted: 0, undecided: 0, replicas: 0, wrongDelivered: 0, wrongReplaced: 0 };
  readonly #random: Random;
  readonly #active: SimulatedNode[];
  /** Who is related to whom, as a pool knows it. */
  readonly #kinship = new Kinship();
  #collusion = collusion.initialState;
  /** Verdicts that are not noted yet. */
  #run: NotedVerdict[] = [];

  /** @param knownGroups whether those of a group share a network, as those of one owner mostly do */
  constructor(
    readonly nodes: readonly SimulatedNode[],
    readonly judging: Judging,
    readonly seed: number,
    knownGroups = false,
  ) {
    this.#random = new Random(seed);
    this.#active = [...nodes];
    if (knownGroups)
      for (const { operatorId, group } of nodes) this.#kinship.relate(operatorId, 'network', group);
  }

  run(tasks: number): void {
    for (let task = 0; task < tasks; task++) this.#do(task);
    this.#noteRun();
  }

  #do(task: number): void {
    const first = this.#active[this.#random.below(this.#active.length)]!;
    if (first.strategy.leaves(this.#momentOf(first, 0))) return this.#leave(first);
    const { policy, asksAtOnce } = this.judging;
    const asked = policy.replicasAtFirst(first.standing, drawOf(`seed ${this.seed}`, `task_${task}`));
    const nodes = this.#apartFrom([first], asked - 1);
    const held: Held[] = [];
    for (const node of nodes) held.push(this.#resultOf(node, task, held, asksAtOnce ? nodes : []));
    const { judgement, held: all } = this.#judge(task, held, asked);
    if (judgement.status !== 'accepted') {
      this.counts.undecided += 1;
      return;
    }
    this.counts.accepted += 1;
    if (all[judgement.agreed[0]!]!.claim !== TRUTH) this.counts.wrongDelivered += 1;
    if (all.length === 1) return this.#believeAlone(all[0]!, task);
    this.#conclude(task, all, judgement);
  }

  #believeAlone({ node, claim }: Held, task: number): void {
    node.account.paid += 1;
    if (!this.judging.runsAgain) return;
    node.unaudited.push({ task, claim });
    if (node.unaudited.length > UNAUDITED_MAX) node.unaudited.shift();
  }

  /** Asks for more for as long as the policy wants more. */
  #judge(task: number, results: readonly Held[], askedAtFirst: number) {
    const held = [...results];
    let asked = Math.max(askedAtFirst, held.length);
    for (;;) {
      const judgement = this.judging.policy.judge(
        held.map(({ node, claim }) => this.#reportOf(node, claim)),
        { asked, maxReplicas: MAX_REPLICAS },
      );
      const missing = judgement.status === 'wanting' ? judgement.replicas : asked - held.length;
      if (judgement.status === 'accepted' || judgement.status === 'inconclusive') return { judgement, held };
      const known = held.map(({ node }) => node);
      const more = this.#apartFrom(known, missing).slice(known.length);
      if (more.length === 0) return { judgement: inconclusive, held };
      asked = held.length + more.length;
      for (const node of more) held.push(this.#resultOf(node, task, held));
    }
  }

  /** Confirms, refutes, and draws the consequences. */
  #conclude(
    task: number,
    held: readonly Held[],
    judgement: Extract<Judgement, { status: 'accepted' }>,
  ): void {
    const believed = judgement.agreed.map(index => held[index]!);
    const accusers = new Set(believed.map(({ node }) => this.#voiceOf(node))).size;
    const event = `task_${task}`;
    for (const { node } of believed) {
      node.account.paid += 1;
      this.#note(node, { event, outcome: 'confirmed' });
    }
    const refuted = judgement.culprits.map(({ index }) => held[index]!);
    this.#noteVerdict(task, believed, refuted);
    if (refuted.length === 0) return;
    for (const { node } of refuted)
      this.#note(node, { event, outcome: 'refuted', why: 'ClaimIsOutvoted', accusers });
    for (const { node } of refuted) this.#runAgain(node, 'refuted');
  }

  /** As the reactor of the service gathers it. What is refuted is noted at once, so that the next task knows it. */
  #noteVerdict(task: number, believed: readonly Held[], refuted: readonly Held[]): void {
    const operatorsOf = (camp: readonly Held[]) => camp.map(({ node }) => node.operatorId);
    const lies = [...Map.groupBy(refuted, ({ claim }) => claim).values()].map(operatorsOf);
    const camps = [
      { operators: operatorsOf(believed), isBelieved: true },
      ...lies.map(operators => ({ operators, isBelieved: false })),
    ].filter(({ operators }) => operators.length > 1);
    if (camps.length === 0) return;
    this.#run.push({ position: task + 1, taskId: `task_${task}`, at: MOMENT, camps });
    if (refuted.length > 0 || this.#run.length === RUN_MAX) this.#noteRun();
  }

  #noteRun(): void {
    const decision = collusion.decide(
      { type: 'NoteVerdicts', data: { poolId: POOL, verdicts: this.#run } },
      this.#collusion,
    );
    this.#run = [];
    if (!decision.accepted) throw new Error(`verdicts were refused: ${decision.rejection}`);
    for (const event of decision.events) {
      this.#collusion = collusion.evolve(this.#collusion, event);
      if (event.type === 'OperatorsSuspected')
        for (const one of event.data.operators) this.#kinship.relate(one, 'collusion', event.data.groupId);
      if (event.type === 'SuspicionLifted')
        for (const one of event.data.operators) this.#kinship.unrelate(one, 'collusion', event.data.groupId);
    }
  }

  #note(node: SimulatedNode, what: Judged): void {
    if (node.isGone) return;
    node.reputation = judged(node.reputation, what, reputationFigures);
    node.standing = standingOf(node.reputation, false);
    if (!node.reputation.isExpelled) return;
    node.expelledAt = node.done;
    node.account.isSlashed = true;
    this.#remove(node);
  }

  #leave(node: SimulatedNode): void {
    this.#runAgain(node, 'left');
    if (node.isGone) return;
    node.hasLeft = true;
    this.#remove(node);
  }

  /** Newest first. What is refuted then leads to all the others that count as evidence. */
  #runAgain(node: SimulatedNode, occasion: 'refuted' | 'left'): void {
    const { runsAgain } = this.judging;
    if (!runsAgain) return;
    const results = node.unaudited.splice(0).reverse();
    const kept: Unaudited[] = [];
    let reason = occasion;
    for (const [age, result] of results.entries()) {
      const draw = drawOf(`seed ${this.seed} ${reason}`, `task_${result.task}`);
      if (!runsAgain(reason, age, draw)) kept.push(result);
      else if (!this.#confirms(node, result)) reason = 'refuted';
    }
    node.unaudited.push(...kept.reverse());
  }

  #confirms(node: SimulatedNode, { task, claim }: Unaudited): boolean {
    const { judgement, held } = this.#judge(task, [{ node, claim }], 2);
    if (judgement.status !== 'accepted') return true;
    const isRefuted = judgement.culprits.some(({ index }) => index === 0);
    if (isRefuted && claim !== TRUTH && held[judgement.agreed[0]!]!.claim === TRUTH)
      this.counts.wrongReplaced += 1;
    const accusers = judgement.agreed.length;
    for (const { index } of judgement.culprits)
      this.#note(held[index]!.node, {
        event: `task_${task}`,
        outcome: 'refuted',
        why: 'ClaimIsOutvoted',
        accusers,
      });
    for (const index of judgement.agreed.filter(index => index > 0)) held[index]!.node.account.paid += 1;
    return !isRefuted;
  }

  #resultOf(
    node: SimulatedNode,
    task: number,
    known: readonly Held[],
    atOnce: readonly SimulatedNode[] = [],
  ): Held {
    this.counts.replicas += 1;
    const partners = atOnce.filter(other => other !== node && other.group === node.group).length;
    // One of a group repeats what the group has said of the task already.
    const hasLied = known.some(({ node: other, claim }) => other.group === node.group && claim !== TRUTH);
    const lies = hasLied || node.strategy.lies(this.#momentOf(node, partners));
    node.done += 1;
    if (!lies || node.isHonest) node.account.worked += 1;
    if (lies && !node.isHonest) node.firstLieAt ??= node.done;
    return { node, claim: lies ? `lie of ${node.group} about ${task}` : TRUTH };
  }

  #momentOf(node: SimulatedNode, partners: number) {
    const { policy, replicasMin } = this.judging;
    const isTrusted = policy.replicasAtFirst(node.standing, LAST_DRAW) <= replicasMin;
    return { random: this.#random, isTrusted, partners, done: node.done };
  }

  #reportOf(node: SimulatedNode, claim: string): Report {
    return { nodeId: node.id, voice: this.#voiceOf(node), claim, standing: node.standing };
  }

  #voiceOf({ operatorId }: SimulatedNode): string {
    return this.#kinship.groupOf(operatorId) ?? operatorId;
  }

  /** The given ones, and so many more that nothing relates to any of them. */
  #apartFrom(given: readonly SimulatedNode[], count: number): readonly SimulatedNode[] {
    const chosen = [...given];
    const excluded = new Set<string>();
    for (const { operatorId } of chosen) this.#kinship.addWithRelatives(operatorId, excluded);
    for (let tries = 0; chosen.length < given.length + count && tries < 100 * count; tries++) {
      const node = this.#active[this.#random.below(this.#active.length)]!;
      if (excluded.has(node.operatorId)) continue;
      chosen.push(node);
      this.#kinship.addWithRelatives(node.operatorId, excluded);
    }
    return chosen;
  }

  #remove(node: SimulatedNode): void {
    const place = this.#active.indexOf(node);
    if (place >= 0) this.#active.splice(place, 1);
  }
}

const inconclusive: Judgement = { status: 'inconclusive', why: 'ReplicasAreExhausted' };
