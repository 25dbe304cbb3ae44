import type { NodeState } from '../engine/policy.js';
import { unitsMax, type Shape } from '../engine/shape.js';
import { freeSteps } from './learning/hosting-worth.js';

const nothing: Float64Array = new Float64Array(0);

/**
 * What is free of a node's units, as rows: one for all units of a group with the same part free. Each comes with the
 * row of the table that says what such a unit is worth. Filled again for each state; the values of whole nodes are
 * most of the work of a decision, so the first rows, which are all that most nodes in use have, are looked up without
 * a loop.
 */
export class FreeRows {
  /** Rows of group `i` of the shape: from `groupStarts[i]` to `groupStarts[i + 1]`. */
  readonly groupStarts = new Int32Array(unitsMax + 1);
  readonly freeThousandths = new Uint16Array(unitsMax);
  /** Units of the row. */
  readonly copies = new Int32Array(unitsMax);
  private readonly tables: Float64Array[] = [];
  private readonly starts = new Int32Array(unitsMax);
  private count = 0;
  private firstTable = nothing;
  private firstStart = 0;
  private firstCopies = 0;
  private secondTable = nothing;
  private secondStart = 0;
  private secondCopies = 0;

  constructor(private readonly rowLength: number) {}

  /** @param tables one for each group of the shape */
  fill({ shape, freeShares }: NodeState, tables: readonly Float64Array[]): void {
    this.count = 0;
    for (let index = 0; index < tables.length; index++) {
      this.groupStarts[index] = this.count;
      this.addGroup(shape.groups[index]!, freeShares, tables[index]!);
    }
    this.groupStarts[tables.length] = this.count;
    const { tables: filled, starts, copies } = this;
    if (this.count > 0) {
      [this.firstTable, this.firstStart, this.firstCopies] = [filled[0]!, starts[0]!, copies[0]!];
    }
    if (this.count > 1) {
      [this.secondTable, this.secondStart, this.secondCopies] = [filled[1]!, starts[1]!, copies[1]!];
    }
  }

  /** The sum over all free units of what stands in the column of their rows, added to `cost`. */
  addedTo(cost: number, column: number): number {
    const { count } = this;
    if (count === 0) return cost;
    let sum = cost + this.firstCopies * this.firstTable[this.firstStart + column]!;
    if (count === 1) return sum;
    sum += this.secondCopies * this.secondTable[this.secondStart + column]!;
    for (let row = 2; row < count; row++) {
      sum += this.copies[row]! * this.tables[row]![this.starts[row]! + column]!;
    }
    return sum;
  }

  /** Units of a group stand ascending by what is free of them. */
  private addGroup(
    { first, count }: Shape['groups'][number],
    freeShares: Uint16Array,
    table: Float64Array,
  ): void {
    const end = first + count;
    for (let unit = first; unit < end;) {
      const start = unit;
      const free = freeShares[start]!;
      while (unit < end && freeShares[unit] === free) unit += 1;
      if (free === 0) continue;
      this.freeThousandths[this.count] = free;
      this.copies[this.count] = unit - start;
      this.tables[this.count] = table;
      this.starts[this.count] = freeSteps(free) * this.rowLength;
      this.count += 1;
    }
  }
}
