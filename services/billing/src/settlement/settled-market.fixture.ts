import { mkdtemp, rm } from 'node:fs/promises';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { anvilMnemonic, localChainId } from '@astro/devstack/anvil/server';
import { Platform } from '@astro/devstack/platform';
import { readAddresses } from '@astro/chain/deployment/files';
import type { Deployment } from '@astro/chain/deployment/addresses';
import { AstroToken__factory } from '@astro/chain/gen/factories/AstroToken__factory';
import { Escrow__factory } from '@astro/chain/gen/factories/Escrow__factory';
import { ProtocolParameters__factory } from '@astro/chain/gen/factories/ProtocolParameters__factory';
import { Rewards__factory } from '@astro/chain/gen/factories/Rewards__factory';
import { bytes32Of } from '@astro/chain/payouts/ids';
import { RpcPool } from '@astro/chain/rpc/pool';
import { signStatement } from '@astro/chain/statements/wallet-statement';
import { walletFrom } from '@astro/chain/wallet';
import { newId } from '@astro/event-sourcing/ids';
import type { Directed } from '@astro/event-sourcing/reactor';
import type { Outcome } from '@astro/jetstream/command-bus';
import { CommandBus } from '@astro/jetstream/command-bus';
import { EventStore } from '@astro/jetstream/event-store';
import type { SettlementEvent } from '@astro/messages/billing';
import type { Result } from '@astro/messages/scheduling';

const metadata = { correlationId: 'spec', causationId: 'spec', actor: 'service:spec' };
/** The accounts of the local chain that the deployment gives tokens, and that may settle. */
const [liquidity, settler] = [6, 1];
const escrow = Escrow__factory.createInterface();
const token = AstroToken__factory.createInterface();
const parameters = ProtocolParameters__factory.createInterface();
const rewards = Rewards__factory.createInterface();

/** The real billing with the real chain-indexer, registry and chain under it; billing can be killed. */
export class SettledMarket {
  #billing: ChildProcess | undefined;

  private constructor(
    readonly platform: Platform,
    readonly dir: string,
    readonly commands: CommandBus,
    readonly store: EventStore,
    readonly pool: RpcPool,
    readonly deployment: Deployment,
  ) {}

  static async start(): Promise<SettledMarket> {
    const dir = await mkdtemp(join(tmpdir(), 'astro-settled-'));
    const stateDir = join(dir, 'state');
    const platform = await Platform.start({
      stateDir,
      services: ['registry', 'chain-indexer'],
      logLevel: 'warn',
    });
    await platform.untilChainIsReady();
    const bus = await platform.connectBus('spec');
    const { rpcUrl, addressesFile } = platform.chain;
    writeFileSync(join(dir, 'settler'), walletFrom(anvilMnemonic, settler).privateKey, { mode: 0o600 });
    const commands = new CommandBus(bus, 'settled-spec');
    const pool = new RpcPool([rpcUrl]);
    return new SettledMarket(
      platform,
      dir,
      commands,
      new EventStore(bus),
      pool,
      readAddresses(addressesFile),
    );
  }

  /** Starts the service, as often as wished; @param env beside what it needs */
  startBilling(env: Readonly<Record<string, string>> = {}): ChildProcess {
    const { platform, dir } = this;
    const main = new URL('../../dist/main.js', import.meta.url).pathname;
    const { rpcUrl, addressesFile } = platform.chain;
    this.#billing = spawn(process.execPath, [main], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        NATS_URL: platform.natsUrl,
        NATS_CREDENTIALS_FILE: join(dir, 'state/credentials/billing.creds'),
        DATABASE_URL: platform.databaseUrlOf('billing'),
        HTTP_PORT: '0',
        LOG_LEVEL: 'error',
        RPC_URL: rpcUrl,
        CHAIN_ADDRESSES_FILE: addressesFile,
        SETTLER_KEY_FILE: join(dir, 'settler'),
        ...{ CHAIN_CONFIRMATIONS: '2', SETTLEMENT_EVERY_MS: '100', SETTLEMENT_POLL_MS: '50' },
        ...env,
      },
    });
    return this.#billing;
  }

  async stopBilling(): Promise<void> {
    const billing = this.#billing;
    if (!billing || billing.exitCode !== null || billing.signalCode !== null) return;
    billing.kill('SIGTERM');
    await once(billing, 'exit');
  }

  async stop(): Promise<void> {
    await this.stopBilling();
    this.pool.close();
    await this.platform.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  async request(command: Directed): Promise<Outcome> {
    const outcome = await this.commands.request(command, { id: newId('cmd'), metadata, timeoutMs: 30_000 });
    if (!outcome) throw new Error(`${command.type} had no outcome`);
    return outcome;
  }

  /** Links one of the local chain's accounts. */
  async link(owner: 'tenant' | 'operator', ownerId: string, account: number): Promise<void> {
    const wallet = walletFrom(anvilMnemonic, account);
    const address = wallet.address.toLowerCase();
    const said = {
      owner,
      ownerId,
      chainId: localChainId,
      address,
      nonce: 0,
      expiresAt: new Date('2090-01-01'),
    };
    const signature = await signStatement(wallet, said);
    const to = { type: 'registry.wallets', id: String(localChainId) } as const;
    const outcome = await this.request({ to, type: 'LinkWallet', data: { ...said, signature } });
    if (!outcome.accepted) throw new Error(outcome.detail);
  }

  /** Pays in for an account of the local chain, and mines until it is there. */
  async deposit(account: number, amountAtto: bigint): Promise<void> {
    const { escrow: to, token: tokens } = this.deployment.contracts;
    const tenant = walletFrom(anvilMnemonic, account).address;
    await this.sendAs(liquidity, tokens, token.encodeFunctionData('approve', [to, amountAtto]));
    await this.sendAs(liquidity, to, escrow.encodeFunctionData('deposit', [tenant, amountAtto]));
  }

  sendAs(account: number, to: string, data: string): Promise<void> {
    return this.#send(walletFrom(anvilMnemonic, account).address, to, data);
  }

  /** As a vote would, which takes the timelock two days. */
  async setParameter(parameter: number, value: number): Promise<void> {
    const { timelock, parameters: to } = this.deployment.contracts;
    await this.pool.call('anvil_impersonateAccount', timelock);
    await this.pool.call('anvil_setBalance', timelock, '0x8ac7230489e80000');
    await this.#send(timelock, to, parameters.encodeFunctionData('set', [parameter, value]));
  }

  async #send(from: string, to: string, data: string): Promise<void> {
    const hash = await this.pool.call('eth_sendTransaction', { from, to, data, gas: '0x1000000' });
    for (;;) {
      const receipt = (await this.pool.call('eth_getTransactionReceipt', hash)) as { status: string } | null;
      if (receipt && Number(receipt.status) !== 1) throw new Error(`${String(hash)} was reverted`);
      if (receipt) return;
      await sleep(50);
    }
  }

  /** What a batch has on the chain: its root, what it pays in all, and what has been claimed. */
  async batchOf(batchId: string) {
    const data = escrow.encodeFunctionData('batchOf', [bytes32Of(batchId)]);
    const answer = await this.pool.call('eth_call', { to: this.deployment.contracts.escrow, data }, 'latest');
    const [root, total, paid] = escrow.decodeFunctionResult('batchOf', answer as string) as unknown as [
      string,
      bigint,
      bigint,
    ];
    return { root, total, paid };
  }

  /** What the rewards of validators have been paid. */
  async paidToValidators(): Promise<bigint> {
    const data = rewards.encodeFunctionData('funded');
    return BigInt(
      (await this.pool.call('eth_call', { to: this.deployment.contracts.rewards, data }, 'latest')) as string,
    );
  }

  async tokensOf(account: number): Promise<bigint> {
    const data = token.encodeFunctionData('balanceOf', [walletFrom(anvilMnemonic, account).address]);
    return BigInt(
      (await this.pool.call('eth_call', { to: this.deployment.contracts.token, data }, 'latest')) as string,
    );
  }

  /** One task of a new job is done and verified, as scheduling records it: billing charges it by the fee in force. */
  async work(tenantId: string, operatorIds: readonly string[], costAtto: bigint): Promise<void> {
    const jobId = newId('job');
    const amountAtto = costAtto * BigInt(operatorIds.length);
    const account = { type: 'billing.account', id: tenantId } as const;
    await this.request({ to: account, type: 'ReserveFunds', data: { tenantId, jobId, amountAtto } });
    const work = operatorIds.map(operatorId => resultOf(operatorId, costAtto));
    const data = { jobId, tenantId, taskId: newId('task'), outputs: [], digest: 'd', work };
    await this.store.append({ type: 'scheduling.job', id: jobId }, [{ type: 'TaskSucceeded', data }], {
      ...{ expectedPosition: 0, commandId: newId('cmd'), metadata },
    });
  }

  async settlementEvents(): Promise<readonly SettlementEvent[]> {
    const recorded = await this.store.load({ type: 'billing.settlement', id: String(localChainId) });
    return recorded.map(({ event }) => event as SettlementEvent);
  }
}

const resultOf = (operatorId: string, costAtto: bigint): Result => ({
  ...{ leaseId: newId('lease'), nodeId: newId('node'), operatorId, fault: 'none', digest: 'd', outputs: [] },
  ...{ meteredMs: 1_000, pricePerSecondAtto: costAtto },
});

/** Reads until it is so; only Jest's own time-out ends it otherwise. */
export async function eventually<T>(read: () => Promise<T>, isThere: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await read();
    if (isThere(value)) return value;
    await sleep(50);
  }
}
