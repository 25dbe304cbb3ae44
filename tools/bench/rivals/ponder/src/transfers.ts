import { ponder } from 'ponder:registry';
import { balance, transfer } from 'ponder:schema';
import { zeroAddress } from 'viem';

ponder.on('Token:Transfer', async ({ event, context: { db } }) => {
  const { from, to, value } = event.args;
  await db.insert(transfer).values({
    id: `${event.block.number}/${event.log.logIndex}`,
    ...{ from, to, amount: value, at: event.block.timestamp },
  });
  if (from !== zeroAddress)
    await db
      .insert(balance)
      .values({ account: from, amount: -value })
      .onConflictDoUpdate(row => ({ amount: row.amount - value }));
  await db
    .insert(balance)
    .values({ account: to, amount: value })
    .onConflictDoUpdate(row => ({ amount: row.amount + value }));
});
