import { tableOf } from '@astro/postgres/stage';
import type { EntityManager } from '@mikro-orm/postgresql';
import { keyIn, pageOf, rowsFor, type Page, type PageQuery } from '../page.js';
import { Node } from '../registry/nodes.js';
import { Earning } from './earnings.js';

/** What earnings are told apart by. */
export const earningDimensions = ['day', 'device', 'node'] as const;
export type EarningDimension = (typeof earningDimensions)[number];

export type EarningsQuery = PageQuery & {
  readonly operatorId: string;
  /** Days in UTC, for example 2026-11-30; both are whole and included. */
  readonly from: string;
  readonly to: string;
  /** None: everything together. None twice. */
  readonly groupBy: readonly EarningDimension[];
};

export type EarnedBy = Pick<Earning, 'charges' | 'workMs' | 'grossAtto' | 'feeAtto' | 'netAtto'> & {
  /** By dimension; empty where it is not known. */
  readonly key: Partial<Readonly<Record<EarningDimension, string>>>;
};

type Row = Readonly<Record<'charges' | 'work_ms' | 'gross' | 'fee' | 'net', string>> &
  Partial<Readonly<Record<EarningDimension, string>>>;

/**
 * A node's device is the first that is no CPU, as the node offers it now, or else its CPU. Nodes are another service's
 * table: only who may read both can ask by device.
 */
const deviceOf = (em: EntityManager) => `(
  select concat(d."device"->>'kind', ' ', d."device"->>'model')
    from ${tableOf(em, Node)} as n,
         jsonb_array_elements(n."inventory"->'devices') with ordinality as d("device", "place")
   where n."node_id" = e."node_id"
   order by d."device"->>'kind' = 'cpu', d."place" limit 1)`;

/** The operator's earnings, in the order of what they are told apart by. @throws InvalidCursor */
export async function pageOfEarnings(em: EntityManager, query: EarningsQuery): Promise<Page<EarnedBy>> {
  const { operatorId, from, to, groupBy, cursor, limit } = query;
  const expressions = { day: 'e."day"', node: 'e."node_id"', device: `coalesce(${deviceOf(em)}, '')` };
  const names = groupBy.map(dimension => `"${dimension}"`);
  const after = cursor === undefined ? [] : keyIn(cursor, groupBy.length);
  const where =
    after.length === 0 ? '' : `where (${names.join(', ')}) > (${after.map(() => '?').join(', ')})`;
  const rows = await em.execute<Row[]>(
    `select * from (
       select ${groupBy.map(dimension => `${expressions[dimension]} collate "C" as "${dimension}", `).join('')}
              sum("charges")::text as "charges", sum("work_ms")::text as "work_ms",
              sum("gross_atto")::text as "gross", sum("fee_atto")::text as "fee", sum("net_atto")::text as "net"
         from ${tableOf(em, Earning)} as e
        where "operator_id" = ? and "day" >= ? and "day" <= ?
        ${names.length === 0 ? 'having count(*) > 0' : `group by ${names.map((_, index) => index + 1).join(', ')}`}
     ) as g ${where} ${names.length === 0 ? '' : `order by ${names.join(', ')}`} limit ${rowsFor(limit)}`,
    [operatorId, from, to, ...after],
  );
  return pageOf(
    rows.map(row => earnedBy(row, groupBy)),
    limit,
    ({ key }) => groupBy.map(of => key[of]!),
  );
}

const earnedBy = (row: Row, groupBy: readonly EarningDimension[]): EarnedBy => ({
  key: Object.fromEntries(groupBy.map(dimension => [dimension, row[dimension]!])),
  charges: Number(row.charges),
  workMs: Number(row.work_ms),
  grossAtto: BigInt(row.gross),
  feeAtto: BigInt(row.fee),
  netAtto: BigInt(row.net),
});
