import type { Reactor } from '@astro/event-sourcing/reactor';
import type { NodeEvent } from '@astro/messages/registry';
import type { PoolCommand } from '@astro/messages/scheduling';

/**
 * A node is in the pool while it is online. One reactor for both, so that the order of one node's events is
 * kept.
 */
export const followNodes = (poolId: string): Reactor<NodeEvent, PoolCommand> => ({
  name: 'scheduling.follow-nodes',
  reads: ['registry.node'],

  react({ event: { type, data }, recordedAt: at }) {
    const to = { type: 'scheduling.pool', id: poolId } as const;
    switch (type) {
      case 'NodeCameOnline':
        // What runs again what others did is none of those; a node that once was is taken off the market.
        if (data.offer.validates === true)
          return [{ to, type: 'WithdrawNode', data: { poolId, nodeId: data.offer.nodeId, at } }];
        return [{ to, type: 'AdmitNode', data: { poolId, ...data, at } }];
      case 'NodeWentOffline':
        return [{ to, type: 'WithdrawNode', data: { poolId, nodeId: data.nodeId, at: data.lastSeenAt } }];
      case 'NodeEnrolled':
      // Of a node that is online they come with its coming online anew.
      case 'NodeAttested':
      case 'NodeAttestationRevoked':
      case 'NodeChallenged':
      // Whose keys are good is no matter of the pool; a node that is revoked goes offline too.
      case 'NodeKeyReplaced':
      case 'NodeRevoked':
      case 'NodeReinstated':
      case 'NodeDrained':
      case 'NodeUndrained':
      // Nothing is placed by how fast a node is.
      case 'NodeMeasured':
      case 'NodePerformanceChanged':
        return [];
    }
  },
});
