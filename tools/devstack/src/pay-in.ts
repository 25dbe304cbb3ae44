import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { attoFromAstro } from '@astro/admin/amount';
import { readConnection } from '@astro/admin/connection';
import { accountOf, deposit, linkWallet } from './escrow-deposit.js';
import { localAddressOf } from './local-wallets.js';
import { portGiven } from './port-book.js';
import { homeFolder } from './repository.js';

const usage = 'usage: ASTRO_KEY=… npm run pay-in -- AMOUNT_ASTRO   the key is a tenant’s';

/** `npm run pay-in`: links an address of the platform's own chain to the tenant of the key, and pays in for it. */
async function main([text = '', ...more]: readonly string[]): Promise<void> {
  const apiKey = process.env['ASTRO_KEY'];
  const amountAtto = attoFromAstro(text);
  if (!apiKey || amountAtto === undefined || more.length > 0) throw new Error(usage);
  const home = homeFolder();
  const { gatewayUrl } = readConnection(home);
  const addressesFile = join(home, 'chain', 'addresses.json');
  if (!existsSync(addressesFile))
    throw new Error('This platform has no chain of its own: pay into Escrow there.');
  const at = { gatewayUrl, chain: { rpcUrl: `http://127.0.0.1:${portGiven(home, 'anvil')}`, addressesFile } };
  const { owner, id: ownerId } = await accountOf(at, apiKey);
  if (owner !== 'tenant') throw new Error(usage);
  await linkWallet(at, { owner, ownerId, apiKey });
  await deposit(at, localAddressOf(ownerId), amountAtto);
  console.log(
    `${text} ASTRO are paid in for ${ownerId}; they can be spent when they are final, in some seconds`,
  );
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
