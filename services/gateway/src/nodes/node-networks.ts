import type { BlockList } from 'node:net';
import type { Directed } from '@astro/event-sourcing/reactor';
import type { OperatorCommand } from '@astro/messages/registry';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Commands } from '../commands.js';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { blockListOf, networkKey, networkOf, networkSecret, observedAddress } from './observed-network.js';

/** Beside the command that the request itself is about. */
const ORDINAL = 1;

/** Tells from which networks the agents of an operator come, as they are seen here. */
@Injectable()
export class NodeNetworks {
  readonly #secret: Uint8Array;
  readonly #proxies: BlockList;

  constructor(
    private readonly commands: Commands,
    @Inject(GATEWAY_CONFIG) config: GatewayConfig,
  ) {
    this.#secret = networkSecret(config.AGENT_SIGNING_SEED);
    this.#proxies = blockListOf(config.TRUSTED_PROXIES);
  }

  /** What is not recorded now is when the agent comes again, within an hour: nothing of the request depends on it. */
  async note(operatorId: string, request: FastifyRequest): Promise<void> {
    const { remoteAddress = '' } = request.socket;
    const forwardedFor = [request.headers['x-forwarded-for'] ?? []].flat().join(',');
    const address = observedAddress(remoteAddress, forwardedFor || undefined, this.#proxies);
    const network = address === undefined ? undefined : networkOf(address);
    if (network === undefined) return;
    const affiliation = { kind: 'network', key: networkKey(this.#secret, network) } as const;
    const command: Directed<OperatorCommand> = {
      to: { type: 'registry.operator', id: operatorId },
      type: 'AffiliateOperator',
      data: { operatorId, affiliation, at: new Date() },
    };
    await this.commands.tell(command, request, ORDINAL);
  }
}
