import { join } from 'node:path';
import { loadavg } from 'node:os';
import type { Benchmark } from '../benchmark.js';
import { median, rounded, rssMb } from '../measure.js';
import { BatchChain, transfersPerBlock } from './batch-chain.js';
import { assertMirrored, untilRow } from './mirrored-tables.js';
import { parseOptions, usage, type IndexerOptions } from './options.js';
import { startIndexer, type Indexer } from './ours.js';
import { ponderPerSecond } from './ponder.js';
import { rawPerSecond } from './raw.js';

const mostAccounts = 10_000;
/** After which a block is final for everybody here: Anvil says so after 64, Ponder after 30. */
const finalAfter = 70;
const coldLimitMs = 300_000;
const headLimitMs = 30_000;
const blockTimeMs = 1_000;
const transfersAtHead = 100;
const reorganised = { depth: 64, transfersPerBlock: 20 };
const tables = {
  transfers: 'chain.token_transfers',
  balances: 'chain.token_balances',
  balanceColumn: 'balance_atto',
};

/** Blocks come one by one, all of the transfers are final, and each indexer begins with nothing. */
export const indexer: Benchmark = {
  measures: 'transfers of a chain through EVT_CHAIN into tables, beside Ponder and beside plain eth_getLogs',
  usage,
  async run(folder, progress, words) {
    const options = parseOptions(words);
    const accounts = Math.min(mostAccounts, options.transfers / 4);
    const chain = await BatchChain.start(join(folder, 'anvil'), accounts);
    try {
      const last = await chain.shuffle((options.transfers - accounts) / transfersPerBlock);
      await chain.mine(finalAfter);
      progress(`the chain has ${options.transfers} transfers in ${last} blocks`);
      const transfers = { count: options.transfers, last: `${last}/${transfersPerBlock - 1}` };
      const ponder = options.hasRival
        ? await ponderPerSecond(join(folder, 'ponder'), chain, transfers, progress)
        : null;
      progress(`Ponder: ${ponder && rounded(ponder)} transfers/s`);
      const raw = await rawPerSecond(join(folder, 'raw'), chain, options.transfers);
      progress(`plain eth_getLogs: ${rounded(raw)} transfers/s`);
      const ours = await startIndexer(join(folder, 'ours'), chain.anvil.url, chain.deployment());
      try {
        return await measured(ours, chain, options, { ponder, raw, last: transfers.last }, progress);
      } finally {
        await ours.stop();
      }
    } finally {
      await chain.stop();
    }
  },
};

async function measured(
  ours: Indexer,
  chain: BatchChain,
  { transfers, headSeconds }: IndexerOptions,
  { ponder, raw, last }: { readonly ponder: number | null; readonly raw: number; readonly last: string },
  progress: (line: string) => void,
) {
  await ours.start();
  // As with Ponder: from when it begins to read the chain.
  const startedMs = performance.now();
  await untilRow(ours.database, tables, last, coldLimitMs);
  const perSecond = transfers / ((performance.now() - startedMs) / 1_000);
  await assertMirrored(ours.database, tables, chain);
  progress(`ours: ${rounded(perSecond)} transfers/s`);
  const lagsMs = await headLagsMs(ours, chain, headSeconds);
  progress(`at the head: ${rounded(median(lagsMs))} ms after a block in the middle`);
  const reorg64Ms = await reorganisationMs(ours, chain);
  return {
    eventsPerSecond: rounded(perSecond),
    rawPerSecond: rounded(raw),
    ponderPerSecond: ponder && rounded(ponder),
    timesPonder: ponder && rounded(perSecond / ponder, 2),
    headLagBlocks: rounded(Math.max(...lagsMs) / blockTimeMs, 2),
    headLagMedianMs: rounded(median(lagsMs)),
    reorg64Ms: rounded(reorg64Ms),
    loadAverage: rounded(loadavg()[0]!, 1),
    rssMb: Math.max(rssMb(), await ours.rssMb()),
  };
}

/** How long after a block its rows are there, of blocks that come by the clock. */
async function headLagsMs(ours: Indexer, chain: BatchChain, seconds: number): Promise<readonly number[]> {
  await chain.mineEvery(blockTimeMs / 1_000);
  const lagsMs: number[] = [];
  const untilMs = performance.now() + seconds * 1_000;
  while (performance.now() < untilMs) {
    const block = await chain.shuffle(1, transfersAtHead);
    const minedMs = performance.now();
    await untilRow(ours.database, tables, `${block}/${transfersAtHead - 1}`, headLimitMs);
    lagsMs.push(performance.now() - minedMs);
  }
  await chain.mineEvery(undefined);
  return lagsMs;
}

/** From when the chain begins to change its mind until the tables say what it says. */
async function reorganisationMs(ours: Indexer, chain: BatchChain): Promise<number> {
  const { depth, transfersPerBlock } = reorganised;
  const tip = await chain.shuffle(depth, transfersPerBlock);
  await untilRow(ours.database, tables, `${tip}/${transfersPerBlock - 1}`, headLimitMs);
  const startedMs = performance.now();
  await chain.pool.call('anvil_reorg', depth, []);
  const block = await chain.shuffle(1, transfersPerBlock);
  await untilRow(ours.database, tables, `${block}/${transfersPerBlock - 1}`, headLimitMs);
  const tookMs = performance.now() - startedMs;
  await assertMirrored(ours.database, tables, chain);
  return tookMs;
}
