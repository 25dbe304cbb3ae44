import { loadConfig } from '@astro/runtime/config';
import { startService } from '@astro/runtime/start-service';
import { registryConfig } from './registry.config.js';
import { RegistryModule } from './registry.module.js';

const config = loadConfig(registryConfig);
await startService({ name: 'registry', module: RegistryModule.with(config), config });
