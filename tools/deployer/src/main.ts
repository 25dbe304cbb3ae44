import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readConfiguration } from '@astro/chain/deployment/configuration';
import { deploy } from '@astro/chain/deployment/deploy';
import { keepProgress, readAddresses, readProgress, writeAddresses } from '@astro/chain/deployment/files';
import { claimPayout, readProof } from '@astro/chain/escrow/claim';
import { foreignPowers } from '@astro/chain/deployment/verify';
import { RpcPool } from '@astro/chain/rpc/pool';
import { chainIdOf } from '@astro/chain/rpc/provider';
import { walletOf } from '@astro/chain/wallet';

const usage = `npm run chain -- deploy --rpc URL[,URL…] --config FILE [--out FILE]
npm run chain -- verify --rpc URL[,URL…] [--out FILE]
npm run chain -- claim --rpc URL[,URL…] --proof FILE [--out FILE]

--config says who gets what and who may do what; deploy/chain/local.json is an example.
--out    addresses.json unless told; what was begun is kept beside it, and a second run goes on with it.
--proof  what GET /v1/payouts/{id}/proof answered, or a list of such answers: each is paid to its own account.
The deployer's private key is read from DEPLOYER_PRIVATE_KEY, that of whoever pays the gas of a claim from
CLAIMER_PRIVATE_KEY.`;

/** Of one file: what a batch may pay. */
const proofsMax = 10_000;

class UsageError extends Error {}

/** `npm run chain`: puts the protocol on a chain, looks whether the timelock alone administers it, claims payouts. */
async function main(args: readonly string[]): Promise<void> {
  const { positionals, values } = parsed(args);
  const { rpc, config, proof, out = 'addresses.json' } = values;
  const [command = ''] = positionals;
  if (positionals.length !== 1 || !rpc || !['deploy', 'verify', 'claim'].includes(command))
    throw new UsageError(usage);
  const pool = new RpcPool(rpc.split(','));
  try {
    if (command === 'deploy') await deployTo(pool, config, out);
    await (command === 'claim' ? claim(pool, proof, out) : verify(pool, out));
  } finally {
    pool.close();
  }
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    const options = { rpc: text, config: text, proof: text, out: text };
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (cause) {
    throw new UsageError(`${(cause as Error).message}\n\n${usage}`, { cause });
  }
}

async function deployTo(pool: RpcPool, config: string | undefined, out: string): Promise<void> {
  if (!config) throw new UsageError(usage);
  const privateKey = keyIn('DEPLOYER_PRIVATE_KEY');
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

/** One after the other; what was paid before one that is refused stays paid, and the next run passes over it. */
async function claim(pool: RpcPool, file: string | undefined, out: string): Promise<void> {
  if (!file) throw new UsageError(usage);
  const wallet = walletOf(keyIn('CLAIMER_PRIVATE_KEY'));
  const json: unknown = JSON.parse(readFileSync(file, 'utf8'));
  const proofs = (Array.isArray(json) ? json : [json]).map(readProof);
  if (proofs.length > proofsMax) throw new UsageError(`${file}: holds more than ${proofsMax} proofs`);
  const deployment = readAddresses(out);
  for (const proof of proofs) {
    const { account, amount } = proof.payout;
    const outcome = await claimPayout(pool, deployment, wallet, proof);
    console.log(`${account}  ${amount}  ${'refused' in outcome ? outcome.refused : outcome.transactionHash}`);
  }
}

function keyIn(variable: string): string {
  const privateKey = process.env[variable];
  if (!privateKey) throw new UsageError(`${variable}: is not set`);
  return privateKey;
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
