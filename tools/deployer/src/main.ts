import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readConfiguration } from '@astro/chain/deployment/configuration';
import { deploy } from '@astro/chain/deployment/deploy';
import { keepProgress, readAddresses, readProgress, writeAddresses } from '@astro/chain/deployment/files';
import { foreignPowers } from '@astro/chain/deployment/verify';
import { RpcPool } from '@astro/chain/rpc/pool';
import { chainIdOf } from '@astro/chain/rpc/provider';
import { walletOf } from '@astro/chain/wallet';

const usage = `npm run chain -- deploy --rpc URL[,URL…] --config FILE [--out FILE]
npm run chain -- verify --rpc URL[,URL…] [--out FILE]

--config says who gets what and who may do what; deploy/chain/local.json is an example.
--out    addresses.json unless told; what was begun is kept beside it, and a second run goes on with it.
The deployer's private key is read from DEPLOYER_PRIVATE_KEY.`;

class UsageError extends Error {}

/** `npm run chain`: puts the protocol on a chain, and looks whether the timelock alone administers it. */
async function main(args: readonly string[]): Promise<void> {
  const { positionals, values } = parsed(args);
  const { rpc, config, out = 'addresses.json' } = values;
  const [command] = positionals;
  if (positionals.length !== 1 || !rpc || (command !== 'deploy' && command !== 'verify'))
    throw new UsageError(usage);
  const pool = new RpcPool(rpc.split(','));
  try {
    if (command === 'deploy') await deployTo(pool, config, out);
    await verify(pool, out);
  } finally {
    pool.close();
  }
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    const options = { rpc: text, config: text, out: text };
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (cause) {
    throw new UsageError(`${(cause as Error).message}\n\n${usage}`, { cause });
  }
}

async function deployTo(pool: RpcPool, config: string | undefined, out: string): Promise<void> {
  if (!config) throw new UsageError(usage);
  const privateKey = process.env['DEPLOYER_PRIVATE_KEY'];
  if (!privateKey) throw new UsageError('DEPLOYER_PRIVATE_KEY: is not set');
  const progress = readProgress(out);
  if (!progress && existsSync(out))
    throw new UsageError(`${out} is there already, and nothing says how it came about: name another file`);
  const deployment = await deploy({
    pool,
    wallet: walletOf(privateKey),
    chainId: await chainIdOf(pool),
    configuration: readConfiguration(JSON.parse(readFileSync(config, 'utf8'))),
    ...(progress && { progress }),
    keep: kept => keepProgress(out, kept),
    log: line => console.log(line),
  });
  writeAddresses(out, deployment);
  for (const [name, address] of Object.entries(deployment.contracts)) console.log(`${address}  ${name}`);
}

async function verify(pool: RpcPool, out: string): Promise<void> {
  const problems = await foreignPowers(pool, readAddresses(out));
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) throw new Error('somebody besides the timelock has power over the protocol');
  console.log(`the timelock alone administers what is in ${out}`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
