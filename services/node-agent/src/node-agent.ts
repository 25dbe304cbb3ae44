import { AgentLink } from '@astro/jetstream/agent-link';
import { backOffMs, delay } from '@astro/jetstream/delay';
import { reasonOf, type Log } from '@astro/jetstream/log';
import type { Attesting } from './attestation/attesting.js';
import type { Measuring } from './benchmark/measuring.js';
import type { EndpointDesk } from './endpoint/endpoint-desk.js';
import { lifeMsOf, type Credentials } from './enrol/credentials.js';
import type { Enrolment } from './enrol/enrolment.js';
import { GatewayRefusal } from './gateway/gateway-client.js';
import type { ContentServer } from './content/content-server.js';
import type { Content } from './content/content.js';
import type { Holdings } from './content/holdings.js';
import { MachineUsage } from './heartbeat/usage.js';
import type { NodeKey } from './identity/node-key.js';
import type { NodeAgentConfig } from './node-agent.config.js';
import type { PressureWatch } from './pressure/pressure-watch.js';
import type { HardwareWatch } from './probe/hardware-watch.js';
import type { Reconciler, ReconcilerOptions } from './reconcile/reconciler.js';
import type { Validator } from './validate/validator.js';

const AGENT_VERSION = '0.1.0';
/** Between two rounds of attempts at what the agent cannot do without. */
const ROUND_BACK_OFF = { baseMs: 500, maxMs: 30_000 };
/** Credentials are renewed after this share of their life. */
const RENEW_AFTER = 0.7;
const RENEW_DELAY_MIN_MS = 1_000;
const RENEW_DELAY_MAX_MS = 24 * 3_600_000;

export type Outgoing = Pick<ReconcilerOptions, 'report' | 'tellLogs' | 'tellProgress'>;

export type NodeAgentParts = {
  readonly config: NodeAgentConfig;
  readonly key: NodeKey;
  readonly enrolment: Enrolment;
  readonly hardware: HardwareWatch;
  readonly pressure: PressureWatch;
  readonly endpoints: EndpointDesk;
  /** Absent where the node claims nothing that it would have to prove. */
  readonly attesting?: Attesting;
  measuringOf(nodeId: string, isIdle: () => boolean): Measuring;
  /** What works for the node, once it is known which it is. */
  workFor(node: EnrolledNode): Promise<NodeWork>;
  readonly log: Log;
};

export type EnrolledNode = Outgoing & {
  readonly nodeId: string;
  /** The credentials of now. */
  jwt(): string;
};

export type NodeWork = {
  readonly reconciler: Reconciler;
  readonly content: Content;
  readonly holdings: Holdings;
  /** Where other nodes get what this one holds, if they do. */
  readonly contentServer: ContentServer | undefined;
  /** Of a node that runs again what others did. */
  readonly validator: Validator | undefined;
};

/** The life of a node: enrol, connect, do what is desired, say that it is alive, keep its credentials fresh. */
export class NodeAgent {
  readonly #parts: NodeAgentParts;
  readonly #stop = new AbortController();
  readonly #usage = new MachineUsage();
  readonly #loops: Promise<void>[] = [];
  #link: AgentLink | undefined;
  #work: NodeWork | undefined;
  #credentials: Credentials | undefined;
  #informedAtMs = 0;
  /** Ends the wait for the next renewal. */
  #renewNow = new AbortController();

  constructor(parts: NodeAgentParts) {
    this.#parts = parts;
  }

  /** Returns at once: a gateway or a bus that is not there yet is waited for. */
  start(): void {
    this.#loops.push(this.#live());
  }

  /** What is missing for this node to be of use; undefined when nothing is. */
  get missing(): string | undefined {
    if (!this.#credentials) return 'not enrolled yet';
    if (!this.#link?.isUp) return 'not connected to the bus';
    return undefined;
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the agent stops'));
    await Promise.all(this.#loops);
    await this.#work?.reconciler.close();
    await this.#work?.validator?.close();
    await this.#work?.contentServer?.close();
    await this.#link?.close();
  }

  async #live(): Promise<void> {
    const { config, key, log } = this.#parts;
    const { signal } = this.#stop;
    const nodeId = await this.#untilDone('enrol', () => this.#join());
    if (nodeId === undefined) return;
    this.#loops.push(this.#keepCredentials(nodeId));
    const { attesting } = this.#parts;
    if (attesting) this.#loops.push(attesting.run(nodeId, signal));
    const link = await this.#untilDone('connect to the bus', () =>
      AgentLink.connect({
        servers: this.#currentCredentials().servers.join(','),
        nodeId,
        access: () => ({ jwt: this.#currentCredentials().jwt, seed32: key.current.seed32 }),
        name: config.AGENT_NAME,
        log: line => log.info(line),
      }).catch((error: unknown) => {
        // What it was given may be the reason.
        this.#renewNow.abort();
        throw error;
      }),
    );
    if (!link) return;
    this.#link = link;
    const work = await this.#untilDone('serve content', () =>
      this.#parts.workFor({
        nodeId,
        jwt: () => this.#currentCredentials().jwt,
        report: ({ type, data }) => link.report(type, data, { signal }),
        tellLogs: logs => link.logs(logs),
        tellProgress: progress => link.progress(progress),
      }),
    );
    if (!work) return;
    const { reconciler, content, holdings, validator } = work;
    this.#work = work;
    link.onDesired(state => {
      this.#informedAtMs = performance.now();
      this.#inBackground('keep what is wanted', content.want(state));
      reconciler.want(state).catch((error: unknown) => log.error('reconcile', { reason: reasonOf(error) }));
    });
    if (validator) this.#validate(link, validator);
    link.onExchange((request, exchange) => this.#parts.endpoints.take(request, exchange));
    link.onReconnect(() => this.#inBackground('ask for the desired state', this.#ask()));
    link.onRefused(() => this.#renewNow.abort());
    log.info('connected', { nodeId });
    this.#loops.push(this.#every(config.HEARTBEAT_MS, 'heartbeat', () => this.#beat(), signal));
    this.#loops.push(this.#every(config.DESIRED_STATE_PATIENCE_MS, 'look', () => this.#lookAgain(), signal));
    const tellHoldings = () => holdings.tell(changed => link.report('HoldingsChanged', changed, { signal }));
    this.#loops.push(this.#every(config.HOLDINGS_EVERY_MS, 'tell what is held', tellHoldings, signal));
    const lookAtHardware = () => this.#offerWhatIsHere();
    this.#loops.push(this.#every(config.INVENTORY_LOOK_MS, 'look at the hardware', lookAtHardware, signal));
    const lookAtHost = () => this.#parts.pressure.look(new Date(), () => this.#offerWhatIsHere(true));
    this.#loops.push(this.#every(config.PRESSURE_LOOK_MS, 'look at what is left', lookAtHost, signal));
    this.#loops.push(this.#parts.measuringOf(nodeId, () => reconciler.runningLeases === 0).run(signal));
  }

  /** Its orders come when they change; asking again repairs what was missed. */
  #validate(link: AgentLink, validator: Validator): void {
    const { signal } = this.#stop;
    const ask = () => link.report('AuditOrdersWanted', {}, { signal });
    link.onAudits(orders => validator.want(orders));
    link.onReconnect(() => this.#inBackground('ask for audits', ask()));
    const { DESIRED_STATE_PATIENCE_MS: everyMs } = this.#parts.config;
    this.#loops.push(this.#every(everyMs, 'ask for audits', ask, signal));
  }

  async #join(): Promise<string> {
    const { enrolment } = this.#parts;
    await enrolment.finishRotation(this.#stop.signal);
    const known = await enrolment.enrolledAs();
    if (known === undefined) {
      const { nodeId, credentials } = await enrolment.enrol(this.#stop.signal);
      this.#credentials = credentials;
      return nodeId;
    }
    try {
      this.#credentials = await enrolment.renew(known, this.#stop.signal);
      return known;
    } catch (error) {
      // The registry has forgotten this node, as after a restore of its database: it is a new node then.
      const isUnknown =
        error instanceof GatewayRefusal && ['credentials_invalid', 'node_not_found'].includes(error.code);
      if (!isUnknown) throw error;
      await enrolment.forget();
      throw error;
    }
  }

  /**
   * Devices that came or went, a host that runs short and the hours of the coming days change the offer: the node
   * enrols again as itself.
   */
  async #offerWhatIsHere(isKnown = false): Promise<void> {
    const { enrolment, hardware, log } = this.#parts;
    const offer = await hardware.changed(isKnown);
    if (offer === undefined) return;
    enrolment.offers(offer);
    const { credentials } = await enrolment.enrol(this.#stop.signal);
    this.#credentials = credentials;
    hardware.told(offer);
    this.#parts.attesting?.again();
    log.info('offers something else now', { devices: offer.inventory.devices.length });
  }

  #beat(): void {
    this.#link?.heartbeat({
      agentVersion: AGENT_VERSION,
      runningLeases: this.#work?.reconciler?.runningLeases ?? 0,
      ...this.#usage.read(),
    });
  }

  /** A message may be lost and a report may have failed; asking and looking again repairs both. */
  async #lookAgain(): Promise<void> {
    await this.#work?.reconciler?.reconcile();
    const silentMs = performance.now() - this.#informedAtMs;
    if (!this.#work?.reconciler?.isInformed || silentMs >= this.#parts.config.DESIRED_STATE_PATIENCE_MS)
      await this.#ask();
  }

  async #ask(): Promise<void> {
    const revision = this.#work?.reconciler?.isInformed ? (this.#link?.revision ?? 0) : 0;
    await this.#link?.report('DesiredStateWanted', { revision }, { signal: this.#stop.signal });
  }

  async #keepCredentials(nodeId: string): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const lifeMs = lifeMsOf(this.#currentCredentials());
      const delayMs = Math.min(Math.max(lifeMs * RENEW_AFTER, RENEW_DELAY_MIN_MS), RENEW_DELAY_MAX_MS);
      this.#renewNow = new AbortController();
      await delay(delayMs, AbortSignal.any([signal, this.#renewNow.signal]));
      const renewed = await this.#untilDone('renew the credentials', () => this.#freshCredentials(nodeId));
      if (!renewed) return;
      this.#credentials = renewed;
      // What was refused is tried again by itself, and not too often.
      if (this.#renewNow.signal.aborted) await this.#pause(RENEW_DELAY_MIN_MS);
      else await this.#link?.useNewAccess();
    }
  }

  /** For another key, when this one is as old as the operator lets it become. */
  async #freshCredentials(nodeId: string): Promise<Credentials> {
    const { config, enrolment, key, log } = this.#parts;
    const { signal } = this.#stop;
    if (!(await key.isOlderThan(config.KEY_ROTATION_DAYS, Date.now())))
      return enrolment.renew(nodeId, signal);
    const given = await enrolment.rotateKey(nodeId, signal);
    this.#parts.attesting?.again();
    log.info('has another key now', { nodeId });
    return given;
  }

  #currentCredentials(): Credentials {
    if (!this.#credentials) throw new Error('the node has no credentials yet');
    return this.#credentials;
  }

  /** Tries for ever, ever more slowly, and says each time why it did not work. Undefined when the agent stops. */
  async #untilDone<T>(what: string, action: () => Promise<T>): Promise<T | undefined> {
    for (let attempt = 1; ; attempt++) {
      if (this.#stop.signal.aborted) return undefined;
      try {
        return await action();
      } catch (error) {
        if (!this.#stop.signal.aborted)
          this.#parts.log.warn(`could not ${what}`, { reason: reasonOf(error) });
      }
      if (!(await this.#pause(backOffMs(attempt, ROUND_BACK_OFF)))) return undefined;
    }
  }

  /** At once, and then again and again; one failure does not end it. */
  async #every(
    intervalMs: number,
    what: string,
    action: () => Promise<void> | void,
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      try {
        await action();
      } catch (error) {
        this.#parts.log.warn(`${what} failed`, { reason: reasonOf(error) });
      }
      if (!(await this.#pause(intervalMs))) return;
    }
  }

  #inBackground(what: string, action: Promise<void>): void {
    action.catch((error: unknown) => this.#parts.log.warn(`could not ${what}`, { reason: reasonOf(error) }));
  }

  /** False when the agent stops meanwhile. */
  async #pause(delayMs: number): Promise<boolean> {
    await delay(delayMs, this.#stop.signal);
    return !this.#stop.signal.aborted;
  }
}
