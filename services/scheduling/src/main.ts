import { loadConfig } from '@astro/runtime/config';
import { startService } from '@astro/runtime/start-service';
import { schedulingConfig } from './scheduling.config.js';
import { SchedulingModule } from './scheduling.module.js';

const config = loadConfig(schedulingConfig);
await startService({ name: 'scheduling', module: SchedulingModule.with(config), config });
