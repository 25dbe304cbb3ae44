import type { NodeEvent } from '@astro/messages/registry';

/** Which key of a node an event makes worthless, if it does. */
export function revokedKeyIn({ type, data }: NodeEvent): string | undefined {
  switch (type) {
    case 'NodeKeyReplaced':
      return data.previousPublicKey;
    case 'NodeRevoked':
      return data.publicKey;
    case 'NodeEnrolled':
    case 'NodeCameOnline':
    case 'NodeWentOffline':
    case 'NodeAttested':
    case 'NodeAttestationRevoked':
    case 'NodeReinstated':
    case 'NodeChallenged':
    case 'NodeDrained':
    case 'NodeUndrained':
    case 'NodeMeasured':
    case 'NodePerformanceChanged':
      return undefined;
  }
}
