import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import type { PageQuery } from '../page.js';
import { pageAsOf } from './as-of.js';
import { filling, mirrored, undoOf, type MirroredTable } from './mirrored.js';
import { roleOf, type StakeRole } from './stake-role.js';

/** The last four are final. */
export type CaseStatus = 'open' | 'upheld' | 'appealed' | 'slashed' | 'dismissed' | 'overturned' | 'expired';

/** Accusations: who accuses whom of what, and how it stands. */
export const SlashingCase = defineEntity({
  name: 'SlashingCase',
  schema: 'chain',
  tableName: 'slashing_cases',
  indexes: [{ properties: ['accused'] }],
  properties: p => ({
    caseId: p.text().primary(),
    role: p.text().$type<StakeRole>(),
    accused: p.text(),
    accuser: p.text(),
    /** Of all that is staked on the accused. */
    fractionBps: p.integer(),
    /** Hashes; the rebuttal is empty until the accused has answered. */
    evidence: p.text(),
    rebuttal: p.text(),
    /** Of the accuser; whoever appeals puts down as much. */
    bondAtto: p.type(Atto),
    status: p.text().$type<CaseStatus>(),
    /** When the state that it is in ends, in seconds since 1970; 0 for a closed case. */
    deadline: p.bigint('number'),
    slashedAtto: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type SlashingCase = InferEntity<typeof SlashingCase>;
export const SlashingCaseUndo = undoOf('slashing_cases');

/** What was taken of a provider's stake, and where it went. */
export const Slash = defineEntity({
  name: 'Slash',
  schema: 'chain',
  tableName: 'slashes',
  properties: p => ({
    /** `<block>/<index in it>` */
    id: p.text().primary(),
    role: p.text().$type<StakeRole>(),
    provider: p.text(),
    reporter: p.text(),
    fractionBps: p.integer(),
    toReporterAtto: p.type(Atto),
    burnedAtto: p.type(Atto),
    toTreasuryAtto: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type Slash = InferEntity<typeof Slash>;

/** In the order of the contract's enumeration, whose first value no case ever has. */
const statuses: readonly CaseStatus[] = [
  ...(['open', 'open', 'upheld', 'appealed', 'slashed', 'dismissed', 'overturned', 'expired'] as const),
];

const cases: MirroredTable<SlashingCase> = {
  entity: SlashingCase,
  undo: SlashingCaseUndo,
  keysOf: fact =>
    /^slashing\.(Accused|Answered|Upheld|Appealed|Closed)$/.test(fact.name) ? [`${fact.amount('id')}`] : [],
  evolve(row, fact, caseId) {
    if (fact.name === 'slashing.Accused')
      return {
        ...{ caseId, role: roleOf(fact), accused: fact.address('accused'), accuser: fact.address('accuser') },
        ...{ fractionBps: fact.number('fractionBps'), evidence: fact.bytes32('evidence'), rebuttal: '' },
        ...{ bondAtto: fact.amount('bond'), status: 'open' as const, slashedAtto: 0n },
        deadline: fact.number('disputeEndsAt'),
      };
    if (row === undefined) return undefined;
    switch (fact.name) {
      case 'slashing.Answered':
        return { ...row, rebuttal: fact.bytes32('rebuttal') };
      case 'slashing.Upheld':
        return { ...row, status: 'upheld', deadline: fact.number('appealEndsAt') };
      case 'slashing.Appealed':
        return { ...row, status: 'appealed', deadline: fact.number('decidedBy') };
    }
    const status = statuses[fact.number('status')];
    return status && { ...row, status, deadline: 0, slashedAtto: fact.amount('slashed') };
  },
};

const slashes: MirroredTable<Slash> = {
  entity: Slash,
  keysOf: (fact, { block, index }) => (fact.name === 'staking.Slashed' ? [`${block}/${index}`] : []),
  evolve: (_row, fact, id) => ({
    ...{ id, role: roleOf(fact), provider: fact.address('provider'), reporter: fact.address('reporter') },
    fractionBps: fact.number('fractionBps'),
    toReporterAtto: fact.amount('toReporter'),
    burnedAtto: fact.amount('burned'),
    toTreasuryAtto: fact.amount('toTreasury'),
  }),
};

export const slashing = mirrored('chain.slashing', [filling(cases), filling(slashes)]);

/** What was taken, and the case that it was taken for, where there is one: its evidence is the reason. */
export type SlashWithCase = Slash & { readonly case: SlashingCase | undefined };

/** What was taken of the stake on a node operator. @throws InvalidCursor */
export const pageOfSlashes = (em: EntityManager, operator: string, query: PageQuery) =>
  pageAsOf(em, slashing.head, Slash, query, { role: 'operator', provider: operator }, withCases);

/** A case is closed in the block in which the stake is taken, and says how much that was. */
async function withCases(em: EntityManager, rows: readonly Slash[]): Promise<readonly SlashWithCase[]> {
  const accused = [...new Set(rows.map(({ provider }) => provider))];
  const blocks = [...new Set(rows.map(({ asOfBlock }) => asOfBlock))];
  const closed = await em.find(SlashingCase, {
    ...{ role: 'operator', status: 'slashed', accused: { $in: accused }, asOfBlock: { $in: blocks } },
  });
  return rows.map(slash => ({ ...slash, case: closed.find(of => isFor(of, slash)) }));
}

const isFor = (of: SlashingCase, slash: Slash): boolean =>
  of.asOfBlock === slash.asOfBlock &&
  of.accuser === slash.reporter &&
  of.slashedAtto === slash.toReporterAtto + slash.burnedAtto + slash.toTreasuryAtto;
