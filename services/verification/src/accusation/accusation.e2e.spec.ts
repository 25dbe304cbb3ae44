import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfiguration } from '@astro/chain/deployment/configuration';
import { deploy } from '@astro/chain/deployment/deploy';
import { writeAddresses } from '@astro/chain/deployment/files';
import type { ContractName, Deployment } from '@astro/chain/deployment/addresses';
import { interfaces } from '@astro/chain/logs/fact';
import { RpcPool } from '@astro/chain/rpc/pool';
import { canonicalHash } from '@astro/chain/statements/canonical-hash';
import { walletFrom } from '@astro/chain/wallet';
import { anvilMnemonic, localChainId, startAnvil, type AnvilServer } from '@astro/devstack/anvil/server';
import { startGround, type Ground } from '@astro/devstack/ground';
import type { Message } from '@astro/event-sourcing/decider';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import { CommandBus } from '@astro/jetstream/command-bus';
import { EventStore } from '@astro/jetstream/event-store';
import { ensureStreams } from '@astro/jetstream/streams';
import type { AccusationEvent } from '@astro/messages/verification';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bundleOfFault } from './bundle-of-fault.reader.js';
import { resultOf, saying, specOf } from '../evidence/refuted-task.fixture.js';
import { faultIdOf } from './record-faults.reactor.js';

/** Accounts of the local chain: who deployed, who accuses and judges, two who have staked, and who has tokens. */
const [deployer, verifier, quietAccount, answeringAccount, liquidity] = [0, 2, 3, 4, 6];
const astro = 10n ** 18n;
const metadata = { correlationId: 'spec', causationId: 'spec', actor: 'service:spec' };
const day = 86_400;

let dir: string;
let ground: Ground;
let anvil: AnvilServer;
let pool: RpcPool;
let deployment: Deployment;
let store: EventStore;
let service: ChildProcess | undefined;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-accusation-'));
  [ground, anvil] = await Promise.all([startGround('verification'), startAnvil({ dir: join(dir, 'anvil') })]);
  pool = new RpcPool([anvil.url]);
  await ensureStreams(ground.bus);
  store = new EventStore(ground.bus);
  const json: unknown = JSON.parse(readFileSync('deploy/chain/local.json', 'utf8'));
  deployment = await deploy({
    ...{ pool, chainId: localChainId, wallet: walletFrom(anvilMnemonic, deployer) },
    configuration: readConfiguration(json),
    keep: () => undefined,
    log: () => undefined,
  });
  writeAddresses(join(dir, 'addresses.json'), deployment);
  writeFileSync(join(dir, 'accuser'), walletFrom(anvilMnemonic, verifier).privateKey, { mode: 0o600 });
  await send(liquidity, 'token', 'transfer', addressOf(verifier), 1_000n * astro);
}, 120_000);

afterAll(async () => {
  await stopService();
  pool?.close();
  await anvil?.stop();
  await ground?.stop();
  await rm(dir, { recursive: true, force: true });
});

const addressOf = (account: number): string => walletFrom(anvilMnemonic, account).address;

async function send(account: number, contract: ContractName, name: string, ...values: readonly unknown[]) {
  const data = interfaces[contract].encodeFunctionData(name, [...values]);
  const call = { from: addressOf(account), to: deployment.contracts[contract], data, gas: '0x989680' };
  const hash = await pool.call('eth_sendTransaction', call);
  const receipt = await eventually(
    async () => (await pool.call('eth_getTransactionReceipt', hash)) as { readonly status: string } | null,
    found => found !== null,
  );
  if (Number(receipt!.status) !== 1) throw new Error(`${contract}.${name} was reverted`);
}

async function ask(contract: ContractName, name: string, ...values: readonly unknown[]): Promise<unknown> {
  const data = interfaces[contract].encodeFunctionData(name, [...values]);
  const answer = await pool.call('eth_call', { to: deployment.contracts[contract], data }, 'latest');
  return interfaces[contract].decodeFunctionResult(name, answer as string)[0];
}

async function pass(seconds: number): Promise<void> {
  await pool.call('evm_increaseTime', seconds);
  await pool.call('evm_mine');
}

/** Reads until it is so; only Jest's own time-out ends it otherwise. */
async function eventually<T>(read: () => Promise<T>, isThere: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await read();
    if (isThere(value)) return value;
    await sleep(50);
  }
}

function startService(environment: Readonly<Record<string, string>> = {}): ChildProcess {
  const main = new URL('../../dist/main.js', import.meta.url).pathname;
  service = spawn(process.execPath, [main], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      ...ground.environment,
      ...{ RPC_URL: anvil.url, CHAIN_ADDRESSES_FILE: join(dir, 'addresses.json') },
      ...{ ACCUSER_KEY_FILE: join(dir, 'accuser'), ACCUSE_POLL_MS: '50', LOG_LEVEL: 'fatal' },
      ...{ CHAIN_FINALITY_BLOCKS: '0', CHAIN_CONFIRMATIONS: '0' },
      ...environment,
    },
  });
  return service;
}

async function stopService(): Promise<void> {
  if (!service || service.exitCode !== null || service.signalCode !== null) return;
  service.kill('SIGTERM');
  await once(service, 'exit');
}

const append = async (aggregate: AggregateRef, ...events: readonly Message[]): Promise<void> => {
  const expectedPosition = (await store.load(aggregate)).at(-1)?.position ?? 0;
  await store.append(aggregate, events, { expectedPosition, commandId: newId('cmd'), metadata });
};

/** A task that one operator of three lies about, as the other services record it. */
async function lieBy(liar: string): Promise<{ readonly taskId: string; readonly leaseId: string }> {
  const [jobId, taskId] = [newId('job'), newId('task')];
  const spec = { ...specOf({}), tasks: [{ taskId, inputs: [], args: ['100'] }] };
  const submitted = { jobId, tenantId: 'tenant_1', poolId: 'main', spec, maxCostAtto: 100n };
  await append({ type: 'scheduling.job', id: jobId }, { type: 'JobSubmitted', data: submitted });
  const votes = [saying(liar, 'lie'), saying('x', 'truth'), saying('y', 'truth')];
  const results = votes.map(vote => ({ ...resultOf(vote), leaseId: newId('lease') }));
  const completed = results.map(result => {
    const ids = { poolId: 'main', jobId, taskId, leaseId: result.leaseId };
    return { type: 'LeaseCompleted', data: { ...ids, quorum: 2, result } };
  });
  await append({ type: 'scheduling.pool', id: 'main' }, ...completed);
  return { taskId, leaseId: results[0]!.leaseId };
}

/** Stakes, and has its address linked as the registry records it. */
async function stakeAs(operator: string, account: number): Promise<void> {
  const amount = 1_000n * astro;
  await send(liquidity, 'token', 'transfer', addressOf(account), amount);
  await send(account, 'token', 'approve', deployment.contracts.staking, amount);
  await send(account, 'staking', 'register', 0, `0x${'a'.repeat(64)}`, amount);
  const address = addressOf(account).toLowerCase();
  const linked = {
    owner: 'operator',
    ownerId: `operator_${operator}`,
    chainId: localChainId,
    address,
    nonce: 0,
  };
  const signed = { ...linked, expiresAt: new Date('2090-01-01'), signature: '0x' };
  await append(
    { type: 'registry.wallets', id: String(localChainId) },
    { type: 'WalletLinked', data: signed },
  );
}

const eventsOf = async (leaseId: string): Promise<readonly AccusationEvent[]> => {
  const id = faultIdOf('refuted_result', leaseId);
  return (await store.load({ type: 'verification.accusation', id })).map(
    ({ event }) => event as AccusationEvent,
  );
};
const until = (leaseId: string, type: AccusationEvent['type']) =>
  eventually(
    () => eventsOf(leaseId),
    events => events.some(event => event.type === type),
  );
type DataOf<Type> = Extract<AccusationEvent, { readonly type: Type }>['data'];
const dataOf = <Type extends AccusationEvent['type']>(events: readonly AccusationEvent[], type: Type) =>
  events.find(event => event.type === type)!.data as DataOf<Type>;

test('a liar is slashed after the windows, though the service dies; a dismissed case pays its bond', async () => {
  await stakeAs('quiet', quietAccount);
  await stakeAs('answering', answeringAccount);
  const [quiet, answering, poor] = [await lieBy('quiet'), await lieBy('answering'), await lieBy('poor')];

  // Without the key faults are recorded only, so that what the next process does first is known.
  startService({ ACCUSER_KEY_FILE: '' });
  const all = [quiet, answering, poor].map(({ leaseId }) => leaseId);
  await Promise.all(all.map(leaseId => until(leaseId, 'FaultRecorded')));
  await stopService();
  // It dies when the chain has its first accusation: after three decisions and the bond, and before it is noted.
  const [, signal] = (await once(startService({ ASTRO_CRASH_AT: 'after-puback:5' }), 'exit')) as [
    unknown,
    string,
  ];
  expect([signal, await ask('slashing', 'count')]).toEqual(['SIGKILL', 1n]);
  const before = await Promise.all(all.map(eventsOf));
  expect(before.flat().map(({ type }) => type)).not.toContain('AccusationSent');
  startService();
  await Promise.all([quiet, answering].map(({ leaseId }) => until(leaseId, 'AccusationSent')));
  expect(await ask('slashing', 'count')).toBe(2n);
  const waived = await until(poor.leaseId, 'AccusationWaived');
  expect(waived.at(-1)!.data).toMatchObject({ reason: 'operator_poor has staked nothing' });

  const { caseId } = dataOf(await eventsOf(answering.leaseId), 'AccusationSent');
  await send(answeringAccount, 'slashing', 'answer', BigInt(caseId), `0x${'b'.repeat(64)}`);
  // The window is over: who has not answered is judged, who has answered waits for a person.
  await pass(4 * day);
  await until(quiet.leaseId, 'CaseMoved');
  expect((await eventsOf(answering.leaseId)).map(({ type }) => type)).not.toContain('CaseDecided');
  await dismiss(answering.leaseId);
  await until(answering.leaseId, 'CaseClosed');
  expect(await ask('token', 'balanceOf', addressOf(answeringAccount))).toBe(100n * astro);

  await pass(4 * day);
  const end = await until(quiet.leaseId, 'CaseClosed');
  expect(end.map(({ type }) => type)).toEqual([
    ...['FaultRecorded', 'AccusationPrepared', 'AccusationSent', 'CaseDecided', 'CaseMoved', 'CaseClosed'],
  ]);
  expect(end.at(-1)!.data).toMatchObject({ status: 'slashed', slashedAtto: 50n * astro });
  expect(await ask('staking', 'activeStake', 0, addressOf(quietAccount))).toBe(950n * astro);
  expect(await ask('staking', 'activeStake', 0, addressOf(answeringAccount))).toBe(1_000n * astro);
  await isProvenBy(quiet, dataOf(end, 'AccusationSent').caseId);
}, 180_000);

async function dismiss(leaseId: string): Promise<void> {
  const faultId = faultIdOf('refuted_result', leaseId);
  const to = { type: 'verification.accusation', id: faultId } as const;
  const data = { faultId, isRight: false, reason: 'the answer shows a fault of the platform' };
  const commands = new CommandBus(ground.bus, 'accusation-spec');
  const sending = { id: newId('cmd'), metadata, timeoutMs: 30_000 };
  const outcome = await commands.request({ to, type: 'DecideCase', data }, sending);
  expect(outcome?.accepted).toBe(true);
}

/** Whoever reads the streams makes the bundle whose hash the chain has, and finds it sound. */
async function isProvenBy({ taskId, leaseId }: { taskId: string; leaseId: string }, caseId: string) {
  const made = await bundleOfFault(ground.bus, { kind: 'refuted_result', taskId, leaseId });
  if (typeof made === 'string') throw new Error(made);
  const { evidence } = (await ask('slashing', 'caseOf', BigInt(caseId))) as { readonly evidence: string };
  expect(canonicalHash(made.bundle)).toBe(evidence);
}
