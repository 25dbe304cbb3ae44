import { issueAgentJwt } from '@astro/jetstream/credentials';
import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import type { credentials } from './nodes.schema.js';

/** Issues what a node connects to the bus with: limited to its own subjects, and short-lived. */
@Injectable()
export class NodeCredentials {
  constructor(@Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig) {}

  issue(nodeId: string, userPublicKey: string, now: Date): z.infer<typeof credentials> {
    const ttlSeconds = this.config.AGENT_CREDENTIAL_TTL_SECONDS;
    const jwt = issueAgentJwt({
      accountPublicKey: this.config.AGENT_ACCOUNT_PUBLIC_KEY,
      signingSeed: this.config.AGENT_SIGNING_SEED,
      nodeId,
      userPublicKey,
      ttlSeconds,
    });
    const expiresAt = new Date(now.getTime() + ttlSeconds * 1_000).toISOString();
    return { jwt, expiresAt, servers: this.config.NATS_PUBLIC_URL.split(',') };
  }
}
