import type { PlacementEngine, Placement } from './engine.js';
import type { GangRequest, TaskRequest } from './request.js';
import type { Domain } from './search.js';

/** Domains (nodes, regions or fabrics) that are tried for one gang, best first, before it is refused. */
const domainsTriedMax = 256;

/** `TooManyDomains`: none of those tried hosts the whole gang, and there are more. */
export type GangRefusal = 'NoNodeFits' | 'NoDomainFits' | 'TooManyDomains';
export type GangOutcome = readonly Placement[] | GangRefusal;

/**
 * Places all members or none. With a topology, domains are tried in the order of the best node that each has for
 * the first member; the first that hosts all members is taken. Members are placed in their order, each on the
 * best node, so a gang of unequal members should list the largest first.
 */
export function placeGang(engine: PlacementEngine, gang: GangRequest): GangOutcome {
  return gang.topology === 'any' ? placeAll(engine, gang, undefined) : placeTogether(engine, gang);
}

function placeTogether(engine: PlacementEngine, gang: GangRequest): GangOutcome {
  const [first] = gang.members;
  if (!first) return [];
  const domains = domainsOf(engine, gang);
  const tried = new Set<number>();
  const query = engine.query(first);
  const total = totalOf(gang.members);
  while (tried.size < domainsTriedMax) {
    const isUntried = (slot: number) => {
      const domain = domains.of(slot);
      return domain >= 0 && !tried.has(domain) && (gang.topology !== 'node' || hasRoom(engine, slot, total));
    };
    const { slot } = engine.find(query, { isIn: isUntried });
    if (slot < 0) return tried.size === 0 ? 'NoNodeFits' : 'NoDomainFits';
    const domain = domains.of(slot);
    tried.add(domain);
    const placed = placeAll(engine, gang, domains.at(domain, slot));
    if (typeof placed !== 'string') return placed;
  }
  return 'TooManyDomains';
}

type Total = { readonly cpuMillis: number; readonly memoryMib: number; readonly thousandths: number };

function totalOf(members: readonly TaskRequest[]): Total {
  const sum = (of: (needs: TaskRequest['requirements']) => number) =>
    members.reduce((all, { requirements }) => all + of(requirements), 0);
  return {
    cpuMillis: sum(needs => needs.cpuMillis),
    memoryMib: sum(needs => needs.memoryMib),
    thousandths: sum(({ devices }) => (devices ? devices.count * devices.shareThousandths : 0)),
  };
}

/** Spares the trial of nodes that cannot host all members, whatever units they take. */
const hasRoom = ({ fleet: { columns } }: PlacementEngine, slot: number, total: Total): boolean =>
  columns.freeCpuMillis[slot]! >= total.cpuMillis &&
  columns.freeMemoryMib[slot]! >= total.memoryMib &&
  columns.freeThousandths(slot) >= total.thousandths;

/** How nodes are grouped: the number of a slot's domain, −1 for none, and where the members may then go. */
type Domains = { of(slot: number): number; at(domain: number, slot: number): Domain };

function domainsOf({ fleet }: PlacementEngine, { topology }: GangRequest): Domains {
  const { columns } = fleet;
  switch (topology) {
    case 'any':
      return { of: () => 0, at: () => ({ isIn: () => true }) };
    case 'node':
      return { of: slot => slot, at: slot => ({ slots: [slot] }) };
    case 'region': {
      const of = (slot: number) => columns.region[slot]!;
      return { of, at: region => ({ isIn: slot => of(slot) === region }) };
    }
    case 'fabric': {
      const of = (slot: number) => fleet.fabrics.idOf(fleet.factsOf(slot).fabric) ?? -1;
      const at = (_fabric: number, slot: number) => ({ slots: fleet.slotsOfFabric(slot) });
      return { of, at };
    }
  }
}

function placeAll(engine: PlacementEngine, gang: GangRequest, domain: Domain | undefined): GangOutcome {
  return engine.attempt<GangOutcome>(
    () => {
      const placements: Placement[] = [];
      for (const member of gang.members) {
        const query = engine.query(gang.distinctOperators ? apartFrom(placements, member) : member);
        const found = engine.find(query, domain);
        if (found.slot < 0) return domain ? 'NoDomainFits' : 'NoNodeFits';
        placements.push(engine.grant(query, found));
      }
      return placements;
    },
    outcome => typeof outcome !== 'string',
  );
}

function apartFrom(placements: readonly Placement[], member: TaskRequest): TaskRequest {
  if (placements.length === 0) return member;
  const taken = placements.map(({ operatorId }) => operatorId);
  return { ...member, operatorsExcluded: new Set([...member.operatorsExcluded, ...taken]) };
}
