import { Affiliation, affiliations } from '@astro/read-models/registry/affiliations';
import { isPublicHost } from '@astro/content/public-address';
import { ApiKey, apiKeys } from '@astro/read-models/registry/api-keys';
import { Node, nodes } from '@astro/read-models/registry/nodes';
import { Operator, operators } from '@astro/read-models/registry/operators';
import { Tenant, tenants } from '@astro/read-models/registry/tenants';
import { Wallet, wallets as walletsTable } from '@astro/read-models/registry/wallets';
import { PlatformModule } from '@astro/runtime/platform.module';
import { Module, type DynamicModule } from '@nestjs/common';
import { apiKey } from './api-key/api-key.js';
import { EvidenceQuestions } from './attestation/evidence-questions.loop.js';
import { KeyRevocation } from './key-revocation.service.js';
import { LivenessController } from './liveness.controller.js';
import { nodeWithin } from './node/node.js';
import { followSuspicions } from './operator/follow-suspicions.reactor.js';
import { operator } from './operator/operator.js';
import { registryConfigToken, type RegistryConfig } from './registry.config.js';
import { tenant } from './tenant/tenant.js';
import { wallets } from './wallets/wallets.js';

@Module({})
export class RegistryModule {
  static with(config: RegistryConfig): DynamicModule {
    const node = nodeWithin({ mayServeAt: url => config.CONTENT_PRIVATE_ADDRESSES || isPublicHost(url) });
    return {
      module: RegistryModule,
      imports: [
        PlatformModule.forService({
          context: 'registry',
          config,
          aggregates: { tenant, operator, 'api-key': apiKey, node, wallets },
          questions: { evidence: ({ node }) => new EvidenceQuestions(config.ATTESTATION_DIR, node!) },
          projections: [tenants, operators, affiliations, apiKeys, nodes, walletsTable],
          reactors: [followSuspicions],
          entities: [Tenant, Operator, Affiliation, ApiKey, Node, Wallet],
        }),
      ],
      controllers: [LivenessController],
      providers: [{ provide: registryConfigToken, useValue: config }, KeyRevocation],
    };
  }
}
