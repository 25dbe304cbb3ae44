import { readAddresses } from '@astro/chain/deployment/files';
import { loadConfig } from '@astro/runtime/config';
import { startService } from '@astro/runtime/start-service';
import { chainIndexerConfig } from './chain-indexer.config.js';
import { ChainIndexerModule } from './chain-indexer.module.js';

const config = loadConfig(chainIndexerConfig);
const deployment = readAddresses(config.CHAIN_ADDRESSES_FILE);
await startService({ name: 'chain-indexer', module: ChainIndexerModule.with(config, deployment), config });
