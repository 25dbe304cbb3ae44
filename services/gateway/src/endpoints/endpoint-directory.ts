import type { Server } from '@astro/messages/scheduling';
import { findJob, type JobStatus } from '@astro/read-models/scheduling/jobs';
import { startedLeases } from '@astro/read-models/scheduling/leases';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { ReadModels } from '../read-models.js';

export type ServingReplica = {
  readonly leaseId: string;
  readonly nodeId: string;
  readonly fencingToken: number;
};
export type Endpoint = {
  readonly jobId: string;
  readonly status: JobStatus;
  readonly server: Server;
  /** Those that are healthy and have no notice. */
  readonly replicas: readonly ServingReplica[];
};

/** What is known of a service this long ago is still believed; agents refuse what is no longer so. */
const TTL_MS = 500;
const CACHED_MAX = 10_000;

/** Which replicas serve a tenant's job, from the read models. */
@Injectable()
export class EndpointDirectory {
  private readonly known = new LRUCache<string, { readonly endpoint: Promise<Endpoint | undefined> }>({
    max: CACHED_MAX,
    ttl: TTL_MS,
  });

  constructor(private readonly readModels: ReadModels) {}

  /** Requests at the same time share one look. Undefined for another tenant's job, and for one without a server. */
  find(tenantId: string, jobId: string): Promise<Endpoint | undefined> {
    const key = `${tenantId} ${jobId}`;
    const known = this.known.get(key);
    if (known) return known.endpoint;
    const endpoint = this.look(tenantId, jobId);
    this.known.set(key, { endpoint });
    endpoint.catch(() => this.known.delete(key));
    return endpoint;
  }

  private look(tenantId: string, jobId: string): Promise<Endpoint | undefined> {
    return this.readModels.query(async em => {
      const job = await findJob(em, tenantId, jobId);
      const server = job?.spec.service?.server;
      if (!job || !server) return undefined;
      const replicas = (await startedLeases(em, jobId))
        .filter(({ isHealthy, isUnderNotice }) => isHealthy === true && !isUnderNotice)
        .map(({ leaseId, nodeId, fencingToken }) => ({ leaseId, nodeId, fencingToken }));
      return { jobId, status: job.status, server, replicas };
    });
  }
}
