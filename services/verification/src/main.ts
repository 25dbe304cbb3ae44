import { loadConfig } from '@astro/runtime/config';
import { startService } from '@astro/runtime/start-service';
import { verificationConfig } from './verification.config.js';
import { VerificationModule } from './verification.module.js';

const config = loadConfig(verificationConfig);
await startService({ name: 'verification', module: VerificationModule.with(config), config });
