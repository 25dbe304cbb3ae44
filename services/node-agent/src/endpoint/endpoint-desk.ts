import type { Exchange } from '@astro/jetstream/exchange';
import type { RequestHead } from '@astro/messages/agent';
import type { ServerReplica } from './server-replica.js';

/** Where requests from the bus find the replica of the lease that they name. */
export class EndpointDesk {
  readonly #replicas = new Map<string, ServerReplica>();

  open(leaseId: string, replica: ServerReplica): void {
    this.#replicas.set(leaseId, replica);
  }

  close(leaseId: string): void {
    this.#replicas.delete(leaseId);
  }

  take(request: RequestHead, exchange: Exchange): void {
    const replica = this.#replicas.get(request.leaseId);
    if (replica?.fencingToken === request.fencingToken) replica.take(request, exchange);
    else exchange.breakOff('not_here', 'the node does not run this replica');
  }
}
