// A process that sends one transaction and dies, without a chance to tidy up, right before or right after the chain
// hears of it. Arguments: RPC URL, database URL, schema, private key, business key, target, `before` or `after`.
import { TransactionJournal } from '@astro/chain/transactions/journal';
import { TransactionSender } from '@astro/chain/transactions/sender';
import { RpcPool } from '@astro/chain/rpc/pool';
import { Wallet } from 'ethers';
import pg from 'pg';

const [rpcUrl, databaseUrl, schema, privateKey, key, to, when] = process.argv.slice(2);

class DyingPool extends RpcPool {
  async call(method, ...params) {
    if (method !== 'eth_sendRawTransaction') return super.call(method, ...params);
    if (when === 'after') await super.call(method, ...params);
    return process.kill(process.pid, 'SIGKILL');
  }
}

const { sender } = await TransactionSender.start({
  pool: new DyingPool([rpcUrl]),
  wallet: new Wallet(privateKey),
  chainId: 31_337,
  journal: new TransactionJournal(new pg.Pool({ connectionString: databaseUrl }), schema),
});
await sender.send(key, { to, data: '0x', valueWei: 1n });
