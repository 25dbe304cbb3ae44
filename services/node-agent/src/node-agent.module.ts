import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HealthChecks } from '@astro/runtime/health';
import { logFor } from '@astro/runtime/logging';
import {
  type DynamicModule,
  Inject,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type Provider,
} from '@nestjs/common';
import { Attesting } from './attestation/attesting.js';
import { machineEvidence } from './attestation/machine-evidence.js';
import { benchmarkPlanOf, runBenchmark } from './benchmark/benchmark.js';
import { Measuring } from './benchmark/measuring.js';
import { withAskedPrices } from './cli/asked-prices.js';
import { ContentCache } from './content/content-cache.js';
import { ContentServer } from './content/content-server.js';
import { Content } from './content/content.js';
import { Holdings } from './content/holdings.js';
import { PeerCredentials } from './content/peer-credentials.js';
import { PeerSources } from './content/peer-sources.js';
import { EndpointDesk } from './endpoint/endpoint-desk.js';
import { AgeIdentities } from './encryption/age-identities.js';
import { Enrolment } from './enrol/enrolment.js';
import { GatewayClient } from './gateway/gateway-client.js';
import { trustCertificatesOf } from './gateway/trust.js';
import { NodeKey } from './identity/node-key.js';
import { NODE_AGENT_CONFIG, type NodeAgentConfig } from './node-agent.config.js';
import { NodeAgent, type NodeAgentParts } from './node-agent.js';
import { leastOfHost, leftOfHost } from './pressure/host.js';
import { PressureWatch } from './pressure/pressure-watch.js';
import { HardwareWatch, type Look } from './probe/hardware-watch.js';
import { diskFreeMib, type Machine, probeAccelerators } from './probe/machine.js';
import { missingDevices, offerOf } from './probe/offer.js';
import { LeaseJournal } from './reconcile/lease-journal.js';
import { Reconciler } from './reconcile/reconciler.js';
import { runtimesOf } from './runtime/allowed-runtimes.js';
import { OfferedRuntimes } from './runtime/offered-runtimes.js';
import type { TaskRunner } from './runtime/task-runtime.js';
import { Validator, type ValidatorOptions } from './validate/validator.js';
import { VerdictJournal } from './validate/verdict-journal.js';

const BYTES_PER_MIB = 1024 * 1024;

export type NodeAgentOverrides = {
  /** Another runner in place of the agent's own, which it is given and may use. */
  readonly runtime?: (own: TaskRunner) => TaskRunner;
  /** Where prices are read again, so that another one needs no other agent. */
  readonly configFile?: string | undefined;
};

/** Starts and stops with the process what the providers below have put together. */
@Injectable()
class AgentLife implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(NodeAgent) private readonly agent: NodeAgent,
    @Inject(GatewayClient) private readonly gateway: GatewayClient,
    @Inject(OfferedRuntimes) private readonly runtimes: OfferedRuntimes,
    @Inject(HealthChecks) private readonly health: HealthChecks,
  ) {}

  onApplicationBootstrap(): void {
    this.health.register('agent', () => this.agent.missing);
    this.agent.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.agent.stop();
    await this.runtimes.close();
    this.gateway.close();
  }
}

type Speakers = {
  readonly gateway: GatewayClient;
  readonly key: NodeKey;
  readonly enrolment: Enrolment;
};

/** Undefined where the machine claims nothing, or what others have to verify. */
function attestingOf(config: NodeAgentConfig, { gateway, key, enrolment }: Speakers) {
  const { ATTESTATION: kind, ATTESTATION_CERTIFICATES: certificates } = config;
  const log = logFor('attestation');
  if (kind === undefined) return undefined;
  if (kind !== 'sev_snp' && kind !== 'tdx') {
    log.warn('evidence of this kind is not gathered here: it counts once the platform has recorded it', {
      kind,
    });
    return undefined;
  }
  const reports = config.ATTESTATION_REPORTS;
  const entry = `astro-${config.AGENT_NAME}`;
  const source = machineEvidence({ kind, reports, entry, ...(certificates && { certificates }) });
  const publicKey = () => key.current.publicKey;
  return new Attesting({ gateway, source, publicKey, token: nodeId => enrolment.token(nodeId), log });
}

/** @param reconciler once there is one */
const pressureOn = (
  config: NodeAgentConfig,
  configFile: string | undefined,
  reconciler: () => Reconciler | undefined,
): PressureWatch =>
  new PressureWatch({
    left: () => leftOfHost(config.AGENT_STATE_DIR),
    least: () => leastOfHost(config, configFile),
    evictable: () => reconciler()?.evictable() ?? [],
    evict: async (leaseId, why) => reconciler()?.evict(leaseId, why),
    log: logFor('pressure'),
  });

const askedNow = (config: NodeAgentConfig, configFile: string | undefined) =>
  configFile === undefined ? config : withAskedPrices(config, configFile, process.env);

async function serveContent(
  { CONTENT_LISTEN: listen, CONTENT_UPLOAD_MIB_PER_SECOND: mibPerSecond }: NodeAgentConfig,
  cache: ContentCache,
  credentials: PeerCredentials,
): Promise<ContentServer | undefined> {
  if (listen === undefined) return undefined;
  const { hostname, port } = new URL(`http://${listen}`);
  const host = hostname.replace(/^\[|\]$/g, '');
  return ContentServer.listen(
    { host, port: port === '' ? 80 : Number(port) },
    {
      cache,
      bytesPerSecondMax: mibPerSecond * BYTES_PER_MIB,
      peerOf: authorization => credentials.peerOf(authorization),
      log: logFor('content'),
    },
  );
}

/** Undefined where the node offers its capacity. */
async function validatorOf(
  { VALIDATES, AGENT_STATE_DIR: stateDir }: NodeAgentConfig,
  own: Omit<ValidatorOptions, 'journal' | 'log'>,
): Promise<Validator | undefined> {
  if (!VALIDATES) return undefined;
  const journal = await VerdictJournal.open(join(stateDir, 'verdicts'));
  return new Validator({ ...own, journal, log: logFor('validator') });
}

/** @param content once there is some */
const measuringBy =
  (
    config: NodeAgentConfig,
    enrolment: Enrolment,
    content: () => Content | undefined,
  ): NodeAgentParts['measuringOf'] =>
  (nodeId, isIdle) =>
    new Measuring({
      everyMs: config.MEASURE_EVERY_MS,
      benchmark: () => runBenchmark(benchmarkPlanOf(config)),
      isIdle,
      report: (report, signal) => {
        const peerNetworkKibPerSecond = content()?.peerKibPerSecond;
        const ofPeers = peerNetworkKibPerSecond === undefined ? {} : { peerNetworkKibPerSecond };
        return enrolment.measured(nodeId, { ...report, ...ofPeers }, signal);
      },
      random: Math.random,
      log: logFor('benchmark'),
    });

const agentOn = (
  machine: Machine,
  runnerOf: (own: TaskRunner) => TaskRunner,
  configFile: string | undefined,
): Provider => ({
  provide: NodeAgent,
  inject: [NODE_AGENT_CONFIG, GatewayClient, OfferedRuntimes],
  useFactory: async (config: NodeAgentConfig, gateway: GatewayClient, runtimes: OfferedRuntimes) => {
    const stateDir = config.AGENT_STATE_DIR;
    if (config.NATS_CA) await trustCertificatesOf(config.NATS_CA);
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const runtime = runnerOf(runtimes);
    const key = await NodeKey.open(stateDir);
    let reconciler: Reconciler | undefined;
    let content: Content | undefined;
    const pressure = pressureOn(config, configFile, () => reconciler);
    const identities = await AgeIdentities.open(stateDir);
    const found = async () => {
      await identities.keepFresh(config.KEY_ROTATION_DAYS, new Date());
      const { recipient: encryptionRecipient } = identities;
      return { diskFreeMib: await diskFreeMib(stateDir), runtimes: runtimes.names, encryptionRecipient };
    };
    const lookAt = async (here: Machine): Promise<Look> => ({
      offer: offerOf(here, await askedNow(config, configFile), await found(), new Date(), pressure.withheld),
      problems: [...here.problems, ...missingDevices(here, config)],
    });
    const first = await lookAt(machine);
    const lookAgain = async () => lookAt({ ...machine, ...(await probeAccelerators()) });
    const hardware = new HardwareWatch(first, lookAgain, logFor('hardware'));
    const { offer } = first;
    const { ATTESTATION: attestationClaimed } = config;
    const enrolment = new Enrolment(gateway, key, { stateDir, operatorKey: config.OPERATOR_KEY, offer });
    const attesting = attestingOf(config, { gateway, key, enrolment });
    const cache = await ContentCache.open(
      join(stateDir, 'content'),
      config.CONTENT_CACHE_MIB * BYTES_PER_MIB,
    );
    const holdings = await Holdings.open({ stateDir, cache });
    const endpoints = new EndpointDesk();
    const journal = await LeaseJournal.open(join(stateDir, 'leases'));
    const tasksMax = Math.ceil(config.OFFER_CPU_MILLIS / 1000);
    return new NodeAgent({
      config,
      key,
      enrolment,
      hardware,
      pressure,
      ...(attesting && { attesting }),
      endpoints,
      log: logFor('agent'),
      measuringOf: measuringBy(config, enrolment, () => content),
      workFor: async ({ nodeId, jwt, ...out }) => {
        const credentials = new PeerCredentials({ nodeId, seed32: () => key.current.seed32, jwt });
        const sources = new PeerSources(credentials, config.CONTENT_PRIVATE_ADDRESSES);
        const peers = { sources, holdings, log: logFor('content') };
        content = new Content(gateway, cache, () => enrolment.token(nodeId), peers);
        const claims = { attestationClaimed, identities: () => identities.all };
        const own = { journal, content, runtime, endpoints, tasksMax, ...claims };
        reconciler = new Reconciler({ ...own, ...out, log: logFor('reconciler') });
        const contentServer = await serveContent(config, cache, credentials);
        const validator = await validatorOf(config, { nodeId, content, runtime, report: out.report });
        return { reconciler, content, holdings, contentServer, validator };
      },
    });
  },
});

@Module({})
export class NodeAgentModule {
  static with(
    config: NodeAgentConfig,
    machine: Machine,
    { runtime = own => own, configFile }: NodeAgentOverrides = {},
  ): DynamicModule {
    return {
      module: NodeAgentModule,
      providers: [
        { provide: NODE_AGENT_CONFIG, useValue: config },
        { provide: GatewayClient, useFactory: () => new GatewayClient(config.GATEWAY_URL) },
        {
          provide: OfferedRuntimes,
          useFactory: () => OfferedRuntimes.probe(runtimesOf(config, machine), logFor('runtimes')),
        },
        agentOn(machine, runtime, configFile),
        AgentLife,
      ],
    };
  }
}
