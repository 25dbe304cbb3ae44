import { createConfig } from 'ponder';
import { http } from 'viem';
import { abi } from './abi';

export default createConfig({
  database: { kind: 'postgres', connectionString: process.env['RIVAL_DATABASE_URL'] },
  networks: {
    local: {
      chainId: 31_337,
      // Its usual limits are for endpoints that others share: 50 requests a second, and answers of 10 MiB.
      transport: http(process.env['RIVAL_RPC_URL'], { maxResponseBodySize: false }),
      maxRequestsPerSecond: 10_000,
      pollingInterval: 100,
    },
  },
  contracts: {
    Token: {
      abi,
      network: 'local',
      address: process.env['RIVAL_TOKEN'] as `0x${string}`,
      startBlock: 0,
      filter: { event: 'Transfer', args: {} },
    },
  },
});
