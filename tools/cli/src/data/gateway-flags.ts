import type { OperatorApi } from '@astro/node-agent/cli/operator-api';
import { string } from '@oclif/core/flags';

/** Where the platform is, and who asks. */
export const gatewayFlags = {
  gateway: string({ helpValue: 'URL', default: 'http://127.0.0.1:8080', env: 'ASTRO_GATEWAY' }),
  'api-key': string({ helpValue: 'KEY', required: true, env: 'ASTRO_KEY', description: 'of the tenant' }),
};

export async function apiOf(flags: {
  readonly gateway: string;
  readonly 'api-key': string;
}): Promise<OperatorApi> {
  const { OperatorApi } = await import('@astro/node-agent/cli/operator-api');
  return new OperatorApi(flags.gateway, flags['api-key']);
}
