import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deposit } from '@astro/devstack/escrow-deposit';
import { localAddressOf } from '@astro/devstack/local-wallets';
import type { Platform } from '@astro/devstack/platform';
import { repositoryRoot } from '@astro/devstack/repository';
import { stakeForValidators } from '@astro/devstack/stake';
import { Problem, type Client } from './client.js';

export type Audit = {
  readonly status: 'opened' | 'drawn' | 'closed';
  readonly claimedDigest: string;
  readonly verdict?: {
    readonly outcome: string;
    readonly digest: string;
    readonly correct: readonly string[];
    readonly wrong: readonly string[];
    readonly missing: readonly string[];
  };
};
type Validator = {
  readonly id: string;
  readonly operatorId: string;
  readonly status: 'active' | 'inactive';
  readonly minimumAtto: string;
};
type Validators = { readonly items: readonly Validator[] };

export type ValidatedMarket = {
  /** The last of them lies. */
  readonly validatorIds: readonly [string, string, string];
  /** Has a lie accepted, and resolves with what validators make of it. */
  auditOfLie(): Promise<Audit>;
  /** Ends the validator that lies, without a word. */
  silence(): Promise<void>;
};

const lyingAgentEntry = join(repositoryRoot, 'tools/demo/dist/lying-agent.js');
/** Where nobody offers anything but the node that lies. */
const region = 'is-rey';
const hardware = { region, pricePerSecondAtto: 10n ** 12n, cpuMillis: 1_000, memoryMib: 256 };
/** Of the local chain; nobody else uses it and the next two. */
const firstAccount = 7;

/** A node that lies and is believed alone, and three validators of as many operators, of which one lies, too. */
export async function openValidatedMarket(platform: Platform, client: Client): Promise<ValidatedMarket> {
  const start = async (name: string, settings: Readonly<Record<string, string>>, entry?: string) => {
    const { operatorId, apiKey: operatorKey } = await platform.administration().registerOperator(name);
    await platform.startAgent({ ...hardware, name, operatorKey, settings, ...(entry && { entry }) });
    return operatorId;
  };
  const validates = { VALIDATES: 'true' };
  const [, ...operatorIds] = await Promise.all([
    start('liar', {}, lyingAgentEntry),
    start('validator-a', validates),
    start('validator-b', validates),
    start('validator-c', validates, lyingAgentEntry),
  ]);
  await platform.untilChainIsReady();
  const all = await until(
    () => client.json<Validators>('/v1/validators'),
    ({ items }) => items.length === 3 && items.every(({ minimumAtto }) => minimumAtto !== '0'),
  );
  const validatorIds = operatorIds.map(
    operatorId => all.items.find(validator => validator.operatorId === operatorId)!.id,
  );
  const amountAtto = BigInt(all.items[0]!.minimumAtto);
  const stakes = validatorIds.map((validatorId, index) => {
    return [firstAccount + index, { validatorId, amountAtto }] as const;
  });
  await stakeForValidators(platform, new Map(stakes));
  await until(
    () => client.json<Validators>('/v1/validators'),
    ({ items }) => items.every(({ status }) => status === 'active'),
  );
  let lies = 0;
  return {
    validatorIds: validatorIds as unknown as ValidatedMarket['validatorIds'],
    auditOfLie: () => auditOfLie(platform, client, `lie-${(lies += 1)}`),
    silence: () => platform.killAgent('validator-c'),
  };
}

async function auditOfLie(platform: Platform, client: Client, key: string): Promise<Audit> {
  const primes = join(repositoryRoot, 'examples/primes/build/primes.wasm');
  const { id } = await client.submit(
    {
      name: 'a job that is lied about',
      program: {
        cid: await client.putContent(await readFile(primes)),
        ...{ timeLimitMs: 10_000, memoryLimitMib: 64, outputLimitBytes: 1_024 },
      },
      requirements: {
        ...{ deviceKind: 'cpu', cpuMillis: 500, memoryMib: 64, regions: [region] },
        maxPricePerSecondAtto: String(10n ** 16n),
      },
      quorum: 1,
      tasks: [{ inputs: [], args: ['1000'] }],
    },
    key,
  );
  for await (const event of client.events(id)) void event;
  const [task] = (await client.ended(id)).tasks;
  const audit = () =>
    client.json<Audit>(`/v1/tasks/${task!.id}/audit`).catch((error: unknown) => {
      if (error instanceof Problem && error.document.code === 'audit_not_found') return undefined;
      throw error;
    });
  await until(audit, found => found !== undefined);
  // Any log of the protocol will do: the block that it is in is what is drawn from.
  await deposit(platform, localAddressOf(key), 1n);
  return (await until(audit, found => found?.status === 'closed'))!;
}

async function until<T>(read: () => Promise<T>, isSo: (read: T) => boolean): Promise<T> {
  for (;;) {
    const found = await read();
    if (isSo(found)) return found;
    await sleep(100);
  }
}
