import type { PlacementEngine, Placement } from '@astro/matching/engine/engine';
import { placeGang } from '@astro/matching/engine/gang';
import type { TaskRequest } from '@astro/matching/engine/request';
import type { Domain } from '@astro/matching/engine/search';
import type { GangTopology } from '@astro/messages/scheduling';
import type { PoolJob } from './pool-job.js';
import type { Pool } from './pool-state.js';

/**
 * Room for all of the members, or for none. Where others of the gang are at work already, because a member was
 * lost, the new ones join them.
 */
export function placeMembers(
  { engine, leases }: Pick<Pool, 'engine' | 'leases'>,
  job: PoolJob,
  members: readonly TaskRequest[],
  topology: GangTopology,
): readonly Placement[] {
  const [working] = job.leases;
  const domain = working === undefined ? undefined : domainOf(engine, leases.get(working)!.nodeId, topology);
  if (domain) return placeIn(engine, members, domain);
  return placeWhole(engine, job.jobId, members, topology);
}

/** Room for a gang of which nobody is at work yet; none when it does not fit. */
export function placeWhole(
  engine: PlacementEngine,
  gangId: string,
  members: readonly TaskRequest[],
  topology: GangTopology,
): readonly Placement[] {
  const kind = topology === 'unspecified' ? 'any' : topology;
  const placed = placeGang(engine, { gangId, members, topology: kind, distinctOperators: false });
  return typeof placed === 'string' ? [] : placed;
}

/** Where the gang of a member on this node is bound to; undefined where it may be anywhere. */
export function domainOf(
  { fleet }: PlacementEngine,
  nodeId: string,
  topology: GangTopology,
): Domain | undefined {
  const slot = fleet.slotOf(nodeId);
  if (slot === undefined) throw new Error(`a lease is on node ${nodeId}, which the pool does not have`);
  switch (topology) {
    case 'node':
      return { slots: [slot] };
    case 'fabric':
      return { slots: fleet.slotsOfFabric(slot) };
    case 'region': {
      const { region } = fleet.columns;
      return { isIn: other => region[other] === region[slot] };
    }
    case 'any':
    case 'unspecified':
      return undefined;
  }
}

export function placeIn(
  engine: PlacementEngine,
  members: readonly TaskRequest[],
  domain: Domain,
): readonly Placement[] {
  return engine.attempt<readonly Placement[]>(
    () => {
      const placements: Placement[] = [];
      for (const member of members) {
        const query = engine.query(member);
        const found = engine.find(query, domain);
        if (found.slot < 0) return [];
        placements.push(engine.grant(query, found));
      }
      return placements;
    },
    placements => placements.length > 0,
  );
}
