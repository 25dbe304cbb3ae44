/** A process that shares the work of a service, with the units that it knows how to do. */
export type Worker = { readonly id: string; readonly units: readonly string[] };

/** Who should have which unit. */
export type Assignment = ReadonlyMap<string, string>;

/** Units are spread evenly within their kind: what stands before the first dash of their name. */
const kindOf = (unit: string): string => unit.slice(0, unit.indexOf('-'));

/**
 * Spreads units over workers, so that of each kind everybody has as many as everybody else, or one more. Who has a
 * unit keeps it where that is possible. Everybody who looks at the same workers and holders comes to the same answer,
 * and giving it effect does not change it.
 */
export function assign(workers: readonly Worker[], holders: ReadonlyMap<string, string>): Assignment {
  const assigned = new Map<string, string>();
  const loads = new Map(workers.map(({ id }) => [id, 0]));
  const units = [...new Set(workers.flatMap(worker => worker.units))].sort();
  for (const kind of new Set(units.map(kindOf))) {
    const ofKind = units.filter(unit => kindOf(unit) === kind);
    for (const [unit, id] of spread(ofKind, workers, holders, loads)) {
      assigned.set(unit, id);
      loads.set(id, loads.get(id)! + 1);
    }
  }
  return assigned;
}

/** The units of one kind; of those who have less of other kinds, some get one more of this. */
function spread(
  units: readonly string[],
  workers: readonly Worker[],
  holders: ReadonlyMap<string, string>,
  loads: ReadonlyMap<string, number>,
): Assignment {
  const heldBy = (id: string) => units.filter(unit => holders.get(unit) === id).length;
  const ranked = [...workers].sort(
    (a, b) => loads.get(a.id)! - loads.get(b.id)! || heldBy(b.id) - heldBy(a.id) || (a.id < b.id ? -1 : 1),
  );
  const share = Math.floor(units.length / workers.length);
  const room = new Map(
    ranked.map(({ id }, rank) => [id, share + (rank < units.length % workers.length ? 1 : 0)]),
  );
  const assigned = new Map<string, string>();
  const give = (unit: string, id: string) => {
    assigned.set(unit, id);
    room.set(id, room.get(id)! - 1);
  };
  const able = (unit: string) => ranked.filter(worker => worker.units.includes(unit));
  for (const unit of units) {
    const holder = holders.get(unit);
    if (able(unit).some(({ id }) => id === holder) && room.get(holder!)! > 0) give(unit, holder!);
  }
  // During a deployment not everybody can do everything: what few can do is given first, however much that is.
  const left = units.filter(unit => !assigned.has(unit)).sort((a, b) => able(a).length - able(b).length);
  for (const unit of left) {
    const [first] = able(unit).sort((a, b) => room.get(b.id)! - room.get(a.id)!);
    give(unit, first!.id);
  }
  return assigned;
}
