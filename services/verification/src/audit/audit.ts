import { accept, reject, type Decider, type Decision } from '@astro/event-sourcing/decider';
import { structured } from '@astro/event-sourcing/snapshot-format';
import { exchangeOf } from '@astro/messages/commitment';
import type {
  AuditClosed,
  AuditCommand,
  AuditEvent,
  AuditFlaw,
  AuditInput,
  AuditOpened,
  AuditReason,
  CloseAudit,
  CommitVerdict,
  DrawValidators,
  OpenAudit,
  RevealVerdict,
} from '@astro/messages/verification';
import {
  commit,
  mayReveal,
  opened,
  reveal,
  type CommitReveal,
  type CommitRevealRejection,
  type DigestOf,
  type Step,
} from '../commit-reveal/commit-reveal.js';
import { drawValidators, secretHashOf, seedOf, unrelatedTo } from './draw-validators.js';
import { judgeAudit, neededOf, type AuditVerdict } from './judge-audit.js';

export type AuditRejection =
  | 'AuditNotFound'
  | 'AuditIsOpen'
  | 'TaskIsAudited'
  | 'ReasonIsInvalid'
  | 'AuditIsNotAtThisStep'
  | 'BlockIsTooEarly'
  | 'SecretDiffers'
  | 'AuditGoesOn'
  | CommitRevealRejection
  | 'RoundDiffers'
  | 'AuditIsClosed';

/** An audit between its draw and, once it is closed, for ever: what comes late is told so. */
type Exchange = {
  readonly opened: AuditOpened;
  readonly seed: string;
  readonly exchange: CommitReveal;
  /** How many inputs were refused, by validator; those of strangers together. */
  readonly refusals: ReadonlyMap<string, number>;
};

export type Audit =
  | { readonly status: 'absent' }
  | { readonly status: 'requested'; readonly round: number; readonly reason: AuditReason }
  | { readonly status: 'opened'; readonly round: number; readonly opened: AuditOpened }
  | ({ readonly status: 'drawn'; readonly round: number } & Exchange)
  | ({
      readonly status: 'closed';
      readonly round: number;
      /** It said something of the accepted result: there is nothing more to find. */
      readonly isSettled: boolean;
    } & Partial<Exchange>);

export type AuditTerms = {
  /** How many validators are drawn: an odd number, so that there is a majority. */
  readonly validators: number;
  readonly commitWithinMs: number;
  readonly revealWithinMs: number;
  /** SHA-256 in hex. */
  readonly digestOf: DigestOf;
};

const policy = 'audit/1';
/** Recorded refusals, of each validator that was drawn and of all others together. */
const refusalsMax = 4;
const strangers = 'strangers';

/**
 * One accepted result, run again by validators that nobody could choose, who fix what they found before they can read
 * what others have found or what was claimed.
 */
export const audit = (terms: AuditTerms): Decider<Audit, AuditCommand, AuditEvent, AuditRejection> => ({
  initialState: { status: 'absent' },
  snapshot: structured<Audit>(1),

  decide({ type, data }, audit) {
    if (type === 'OpenAudit') return open(data, audit);
    if (audit.status === 'absent') return reject('AuditNotFound', data.taskId);
    switch (type) {
      case 'CommitVerdict':
        return takeCommitment(data, audit);
      case 'RevealVerdict':
        return takeReveal(data, audit, terms);
      case 'PrepareAudit':
        if (data.round !== audit.round || audit.status !== 'requested') return reject('AuditIsNotAtThisStep');
        return accept({ type: 'AuditOpened', data: { ...data, reason: audit.reason } });
      case 'DrawValidators':
        if (data.round !== audit.round || audit.status !== 'opened') return reject('AuditIsNotAtThisStep');
        return draw(data, audit.opened, terms);
      case 'CloseAudit':
        if (data.round !== audit.round || audit.status !== 'drawn') return reject('AuditIsNotAtThisStep');
        return close(data, audit, terms);
      case 'DropAudit':
        if (data.round !== audit.round || audit.status === 'drawn' || audit.status === 'closed')
          return reject('AuditIsNotAtThisStep');
        return accept({ type: 'AuditClosed', data: dropped(data.taskId, data.flaw, audit, terms) });
    }
  },

  evolve(audit, { type, data }) {
    switch (type) {
      case 'AuditRequested':
        return { status: 'requested', round: data.round, reason: data.reason };
      case 'AuditOpened':
        return { status: 'opened', round: data.round, opened: data };
      case 'ValidatorsDrawn': {
        const { opened: of } = audit as Extract<Audit, { status: 'opened' }>;
        const exchange = opened({
          taskId: exchangeOf(data.taskId, data.round),
          parties: data.drawn,
          commitUntilMs: data.commitUntil.getTime(),
          revealUntilMs: data.revealUntil.getTime(),
        });
        return {
          ...{ status: 'drawn', round: data.round, opened: of },
          ...{ seed: data.seed, exchange, refusals: new Map() },
        };
      }
      case 'CommitReceived':
        return exchanged(audit, exchange => ({
          ...exchange,
          commitments: new Map(exchange.commitments).set(data.validatorId, data.commitment),
        }));
      case 'RevealReceived':
        return exchanged(audit, exchange => ({
          ...exchange,
          reveals: new Map(exchange.reveals).set(data.validatorId, { digest: data.digest, salt: data.salt }),
        }));
      case 'InputRefused':
        return refusedOnceMore(audit as Exchanging, data.validatorId);
      case 'AuditClosed': {
        const isSettled = data.outcome !== 'inconclusive' && data.reason !== 'planted';
        const kept = 'exchange' in audit ? audit : {};
        return { ...kept, status: 'closed', round: data.round, isSettled };
      }
    }
  },
});

/** All that can come has come, or whatever comes is late. */
export function canClose({ exchange }: Pick<Exchange, 'exchange'>, atMs: number): boolean {
  if (atMs > exchange.revealUntilMs) return true;
  const { commitments, reveals } = exchange;
  return mayReveal(exchange, atMs) && reveals.size === commitments.size;
}

function open({ taskId, reason }: OpenAudit, audit: Audit): Decision<AuditEvent, AuditRejection> {
  if (reason === 'unspecified') return reject('ReasonIsInvalid', 'reason: must be specified');
  if (audit.status === 'absent')
    return accept({ type: 'AuditRequested', data: { taskId, round: 1, reason } });
  if (audit.status !== 'closed') return reject('AuditIsOpen', taskId);
  if (audit.isSettled) return reject('TaskIsAudited', taskId);
  return accept({ type: 'AuditRequested', data: { taskId, round: audit.round + 1, reason } });
}

function draw(
  { taskId, round, blockNumber, blockHash, secret, candidates, at }: DrawValidators,
  of: AuditOpened,
  terms: AuditTerms,
): Decision<AuditEvent, AuditRejection> {
  const { digestOf, validators: count } = terms;
  if (blockNumber < of.drawFromBlock) return reject('BlockIsTooEarly', `blockNumber: ${blockNumber}`);
  if (secretHashOf(secret, digestOf) !== of.secretHash) return reject('SecretDiffers');
  const seed = seedOf(blockHash, secret, digestOf);
  const unrelated = unrelatedTo(new Set(of.claimants.map(({ operatorId }) => operatorId)), candidates);
  const drawn = drawValidators(unrelated, { seed, count, digestOf });
  if (drawn.length < count) {
    const opened = { status: 'opened', round, opened: of } as const;
    const data = { ...dropped(taskId, 'too_few_validators', opened, terms), seed };
    return accept({ type: 'AuditClosed', data });
  }
  const commitUntil = new Date(at.getTime() + terms.commitWithinMs);
  const revealUntil = new Date(commitUntil.getTime() + terms.revealWithinMs);
  const basis = { blockNumber, blockHash, secret, seed, candidates: unrelated };
  const data = { taskId, round, ...basis, drawn, commitUntil, revealUntil };
  return accept({ type: 'ValidatorsDrawn', data });
}

type Known = Exclude<Audit, { readonly status: 'absent' }>;

function takeCommitment(data: CommitVerdict, audit: Known): Decision<AuditEvent, AuditRejection> {
  const { validatorId, commitment, at } = data;
  const atMs = at.getTime();
  return take(data, audit, 'commitment', exchange => {
    const step = commit(exchange, { nodeId: validatorId, commitment, atMs });
    return { step, event: { type: 'CommitReceived', data } };
  });
}

function takeReveal(
  data: RevealVerdict,
  audit: Known,
  { digestOf }: AuditTerms,
): Decision<AuditEvent, AuditRejection> {
  const { validatorId, digest, salt, at } = data;
  return take(data, audit, 'reveal', exchange => {
    const step = reveal(exchange, { nodeId: validatorId, digest, salt, atMs: at.getTime() }, digestOf);
    return { step, event: { type: 'RevealReceived', data } };
  });
}

/** What breaks a rule is a fact, too, as long as it is not one of many. */
function take(
  { taskId, round, validatorId, at }: CommitVerdict | RevealVerdict,
  audit: Known,
  input: AuditInput,
  stepWith: (exchange: CommitReveal) => { readonly step: Step; readonly event: AuditEvent },
): Decision<AuditEvent, AuditRejection> {
  if (!isExchange(audit)) return reject('AuditIsNotAtThisStep', taskId);
  const { exchange, refusals } = audit;
  const refuse = (reason: AuditRejection): Decision<AuditEvent, AuditRejection> => {
    if ((refusals.get(whoseOf(exchange, validatorId)) ?? 0) >= refusalsMax) return reject(reason, taskId);
    const data = { taskId, round: audit.round, validatorId, input, reason, at };
    return accept({ type: 'InputRefused', data });
  };
  if (round !== audit.round) return refuse('RoundDiffers');
  const { step, event } = stepWith(exchange);
  if (!step.taken) return refuse(step.rejection);
  if (step.state === exchange) return accept();
  // It was said in time and came too late to be judged: the verdict stands.
  if (audit.status === 'closed') return refuse('AuditIsClosed');
  return accept(event);
}

type Exchanging = Extract<Audit, { readonly status: 'drawn' | 'closed' }> & Exchange;

const isExchange = (audit: Audit): audit is Exchanging => 'exchange' in audit;

const whoseOf = ({ parties }: CommitReveal, validatorId: string): string =>
  parties.includes(validatorId) ? validatorId : strangers;

function refusedOnceMore(audit: Exchanging, validatorId: string): Audit {
  const whose = whoseOf(audit.exchange, validatorId);
  const count = (audit.refusals.get(whose) ?? 0) + 1;
  return { ...audit, refusals: new Map(audit.refusals).set(whose, count) };
}

function exchanged(audit: Audit, change: (exchange: CommitReveal) => CommitReveal): Audit {
  if (!isExchange(audit)) throw new Error('an input was taken before anybody was drawn');
  return { ...audit, exchange: change(audit.exchange) };
}

function close(
  { at }: CloseAudit,
  audit: Extract<Audit, { readonly status: 'drawn' }>,
  terms: AuditTerms,
): Decision<AuditEvent, AuditRejection> {
  if (!canClose(audit, at.getTime())) return reject('AuditGoesOn', audit.opened.taskId);
  const { exchange, opened: of, seed } = audit;
  const verdict = judgeAudit({
    drawn: exchange.parties,
    digests: new Map([...exchange.reveals].map(([validatorId, { digest }]) => [validatorId, digest])),
    claimedDigest: of.claimedDigest,
    ...(of.trueDigest !== undefined && { trueDigest: of.trueDigest }),
  });
  return accept({ type: 'AuditClosed', data: closed(of, verdict, seed, terms) });
}

function closed(of: AuditOpened, verdict: AuditVerdict, seed: string, terms: AuditTerms): AuditClosed {
  const { taskId, jobId, round, reason, claimedDigest, claimants } = of;
  const [first, ...coClaimants] = claimants;
  return {
    ...{ taskId, jobId, ...(first ?? nobody), coClaimants, round, reason, claimedDigest },
    ...verdict,
    ...{ policy, thresholds: thresholdsOf(terms), seed },
  };
}

const nobody = { nodeId: '', operatorId: '', leaseId: '' } as const;

function dropped(
  taskId: string,
  flaw: AuditFlaw,
  audit: Extract<Known, { readonly status: 'requested' | 'opened' }>,
  terms: AuditTerms,
): AuditClosed {
  const verdict = { outcome: 'inconclusive', digest: '', correct: [], wrong: [], missing: [], flaw } as const;
  if (audit.status === 'opened') return closed(audit.opened, verdict, '', terms);
  const { round, reason } = audit;
  return {
    ...{ taskId, jobId: '', ...nobody, coClaimants: [], round, reason, claimedDigest: '' },
    ...verdict,
    ...{ policy, thresholds: thresholdsOf(terms), seed: '' },
  };
}

const thresholdsOf = ({ validators, commitWithinMs, revealWithinMs }: AuditTerms) => [
  { name: 'validators', value: validators },
  { name: 'needed', value: neededOf(validators) },
  { name: 'commitWithinMs', value: commitWithinMs },
  { name: 'revealWithinMs', value: revealWithinMs },
];
