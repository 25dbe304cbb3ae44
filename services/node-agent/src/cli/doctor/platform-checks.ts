import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Enrolment } from '../../enrol/enrolment.js';
import { GatewayRefusal, type GatewayClient } from '../../gateway/gateway-client.js';
import { NodeKey } from '../../identity/node-key.js';
import type { NodeAgentConfig } from '../../node-agent.config.js';
import { readJson } from '../../state/json-file.js';
import { isOpenToOthers } from '../config-file.js';
import { connectOnce } from '../node-setup.js';
import { ApiFailure, OperatorApi, reasonIn } from '../operator-api.js';
import { fails, untried, works, type Finding } from './check.js';

/** A node's token lives for a minute; half of it may be spent on clocks that differ. */
const SKEW_MAX_MS = 30_000;

export type GatewayFindings = { readonly findings: readonly Finding[]; readonly skewMs: number | undefined };

/** Whether the gateway answers, whether it knows the operator, and what time it has there. */
export async function checkGateway({
  GATEWAY_URL: url,
  OPERATOR_KEY: key,
}: NodeAgentConfig): Promise<GatewayFindings> {
  const [gateway, operator, clock] = ['gateway', 'operator-key', 'clock'].map(id => ({ id, isNeeded: true }));
  const tls = checkTls(url);
  try {
    const api = new OperatorApi(url, key);
    const { date } = await api.send('GET', '/v1/nodes?limit=1');
    await assertOperator(api);
    const skewMs = date && date.getTime() - Date.now();
    const findings = [works(gateway!, `${url} answers`), tls, works(operator!, 'is an operator’s and valid')];
    return { findings: [...findings, clockFinding(clock!, skewMs)], skewMs };
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    const { status, message } = error;
    if (status === undefined || status >= 500) {
      const advice =
        'look whether GATEWAY_URL is right, whether its name resolves, and whether a firewall is between';
      const because = 'the gateway does not answer';
      const findings = [fails(gateway!, message, advice), tls];
      return {
        findings: [...findings, untried(operator!, because), untried(clock!, because)],
        skewMs: undefined,
      };
    }
    const advice =
      status === 403
        ? 'this is not the key of an operator: set OPERATOR_KEY to one'
        : 'it was mistyped, revoked or is of another platform: set OPERATOR_KEY to a valid one';
    const isGateway = error.code !== 'unknown';
    const findings = isGateway
      ? [works(gateway!, `${url} answers`), tls, fails(operator!, message, advice)]
      : [fails(gateway!, message, 'another service answers there: correct GATEWAY_URL'), tls];
    return { findings, skewMs: undefined };
  }
}

/** Only operators may ask for this, and nobody has such a node. @throws ApiFailure */
async function assertOperator(api: OperatorApi): Promise<void> {
  await api.send('GET', '/v1/nodes/none/leases').catch((error: unknown) => {
    if (!(error instanceof ApiFailure) || error.code !== 'node_not_found') throw error;
  });
}

/** Beyond this machine a key that travels in the clear is everybody's. */
function checkTls(url: string): Finding {
  const check = { id: 'tls', isNeeded: false };
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:') return works(check, 'the gateway’s certificate is checked');
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  if (isHere) return works(check, 'the gateway is on this machine');
  return fails(check, 'the operator’s key travels in the clear', 'use the https address of the gateway');
}

function clockFinding(check: { id: string; isNeeded: boolean }, skewMs: number | undefined): Finding {
  if (skewMs === undefined) return untried(check, 'the gateway’s answer has no date');
  const found = `differs from the gateway’s by ${Math.round(Math.abs(skewMs) / 1_000)} s`;
  return Math.abs(skewMs) <= SKEW_MAX_MS
    ? works(check, found)
    : fails(check, found, 'let the clock be set by the network: timedatectl set-ntp true');
}

/** Whether the node has a key and a place in the registry, and whether the bus lets it in. */
export async function checkNode(
  config: NodeAgentConfig,
  gateway: GatewayClient,
): Promise<readonly Finding[]> {
  const [identity, enrolled, bus] = ['identity', 'enrolment', 'bus'].map(id => ({ id, isNeeded: true }));
  const stateDir = config.AGENT_STATE_DIR;
  const path = join(stateDir, 'identity.json');
  const missing = (await stat(path).catch(() => undefined)) === undefined;
  if (missing) {
    const advice = 'run `astro node init`';
    const because = 'the node has no key';
    const findings = [untried(enrolled!, because), untried(bus!, because)];
    return [fails(identity!, `${path} is not there`, advice), ...findings];
  }
  if (await isOpenToOthers(path)) {
    return [
      fails(
        identity!,
        `${path} can be read by others`,
        `chmod 600 ${path}, and make a new key if it was read`,
      ),
    ];
  }
  const own = await NodeKey.open(stateDir);
  const key = works(identity!, `key ${own.current.publicKey.slice(0, 12)}… of its owner alone`);
  const node = z.object({ nodeId: z.string() }).safeParse(await readJson(join(stateDir, 'node.json')));
  if (!node.success)
    return [
      key,
      fails(enrolled!, 'not enrolled yet', 'run `astro node init`'),
      untried(bus!, 'the node is not enrolled'),
    ];
  const { nodeId } = node.data;
  const offer = { region: config.REGION, pricePerSecondAtto: config.PRICE_PER_SECOND_ATTO };
  const enrolment = new Enrolment(gateway, own, {
    stateDir,
    operatorKey: config.OPERATOR_KEY,
    offer: { ...offer, inventory: noInventory, maintenance: [] },
  });
  try {
    const credentials = await enrolment.renew(nodeId, AbortSignal.timeout(RENEW_TIMEOUT_MS));
    const place = works(enrolled!, `is ${nodeId}`);
    return [
      key,
      place,
      await checkBus(() => connectOnce({ nodeId, key: own, credentials }), credentials.servers),
    ];
  } catch (error) {
    const advice =
      error instanceof GatewayRefusal && [401, 404].includes(error.status)
        ? 'the registry does not know this node: run `astro node init`, which enrols it again'
        : 'repair what is said of the gateway first';
    return [key, fails(enrolled!, reasonIn(error), advice), untried(bus!, 'there are no credentials')];
  }
}

const RENEW_TIMEOUT_MS = 15_000;
/** Renewing says nothing of the offer. */
const noInventory = {
  ...{ devices: [], cpuMillis: 0, memoryMib: 0, diskMib: 0, bandwidthMbps: 0 },
  ...{ operatingSystem: '', architecture: '', runtimes: [] },
};

export async function checkBus(connect: () => Promise<void>, servers: readonly string[]): Promise<Finding> {
  const check = { id: 'bus', isNeeded: true };
  const where = servers.join(', ');
  try {
    await connect();
    return works(check, `${where} lets the node in`);
  } catch (error) {
    const advice = 'look whether a firewall is between, and whether the platform’s NATS is up';
    return fails(check, `${where}: ${reasonIn(error)}`, advice);
  }
}
