import { onchainTable } from 'ponder';

export const transfer = onchainTable('transfer', column => ({
  id: column.text().primaryKey(),
  from: column.hex().notNull(),
  to: column.hex().notNull(),
  amount: column.bigint().notNull(),
  at: column.bigint().notNull(),
}));

export const balance = onchainTable('balance', column => ({
  account: column.hex().primaryKey(),
  amount: column.bigint().notNull(),
}));
