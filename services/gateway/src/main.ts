import { loadConfig } from '@astro/runtime/config';
import { startService } from '@astro/runtime/start-service';
import { gatewayConfig } from './gateway.config.js';
import { GatewayModule } from './gateway.module.js';

const config = loadConfig(gatewayConfig);
await startService({ name: 'gateway', module: GatewayModule.with(config), config });
