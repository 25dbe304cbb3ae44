import { Client } from 'pg';
import { ratePerSecond } from '../measure.js';
import { ACCOUNTS, CREDIT_ATTO } from './transfers.js';

const CONNECTIONS = 64;
const ROUND = { warmUpMs: 1_000, measureMs: 5_000 };

/**
 * Transfers a second the plain way: two rows of balances updated and the transfer noted down in one transaction of five
 * round trips. The lower account comes first, so that no two transactions wait for each other.
 */
export async function plainPostgresPerSecond(url: string): Promise<number> {
  const clients = Array.from({ length: CONNECTIONS }, () => new Client({ connectionString: url }));
  await Promise.all(clients.map(client => client.connect()));
  try {
    await clients[0]!.query(`
      create table accounts (id int primary key, balance numeric(78,0) not null check (balance >= 0));
      create table transfers (id bigserial primary key, giver int, receiver int, amount numeric(78,0));
      insert into accounts select id, ${CREDIT_ATTO} from generate_series(0, ${ACCOUNTS - 1}) as id`);
    let count = 0;
    const perSecond = await ratePerSecond(CONNECTIONS, ROUND, async caller => {
      const index = count++;
      const from = index % ACCOUNTS;
      const to = (from + 1 + ((index * 7) % (ACCOUNTS - 1))) % ACCOUNTS;
      const client = clients[caller]!;
      const update = 'update accounts set balance = balance + $2 where id = $1';
      const changes: [number, number][] = [
        [from, -7],
        [to, 7],
      ];
      await client.query('begin');
      for (const change of changes.sort(([a], [b]) => a - b)) await client.query(update, change);
      await client.query('insert into transfers (giver, receiver, amount) values ($1, $2, 7)', [from, to]);
      await client.query('commit');
    });
    const { rows } = await clients[0]!.query<{ sum: string }>(
      'select sum(balance)::text as sum from accounts',
    );
    if (BigInt(rows[0]!.sum) !== CREDIT_ATTO * BigInt(ACCOUNTS)) throw new Error('the plain sums are wrong');
    return perSecond;
  } finally {
    await Promise.all(clients.map(client => client.end()));
  }
}
