import { loadConfig } from '@astro/runtime/config';
import { startService } from '@astro/runtime/start-service';
import { billingConfig } from './billing.config.js';
import { BillingModule } from './billing.module.js';

const config = loadConfig(billingConfig);
await startService({ name: 'billing', module: BillingModule.with(config), config });
