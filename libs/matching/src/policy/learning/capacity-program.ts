import type { Demand } from '../../engine/demand.js';
import type { Shape, UnitGroup } from '../../engine/shape.js';
import {
  groupCouldHost,
  shapeCouldHostCpu,
  sharesUnit,
  unitsAskedFor,
  type ShapeCount,
} from '../demand-rate.js';
import { bestPack, packSteps, stepsOf } from './knapsack.js';
import type { LinearOptimum, LinearProgram, LinearSolver } from './linear-solver.js';

/** Rounds of column generation for one solution; the published trace needs about a tenth. */
const roundsMax = 400;
const tolerance = 1e-7;

/**
 * Units that a request for one vCPU and no unit counts as. A pool cannot decline what fits, so requests for CPU alone
 * are served before all others, and the others have the CPU that they leave.
 */
const cpuAloneWorth = 10;

/** Units of a shape that are alike, and the demands that they could host. */
type Bin = {
  readonly shapeRow: number;
  readonly unitRow: number;
  readonly shared: readonly number[];
  readonly whole: readonly number[];
};

/**
 * The linear program of what a fleet could allocate at best. A unit is filled by a pattern: copies of shared demands
 * that fit on one unit, or a part of a request for whole units. Rows are the requests of each demand, the units of
 * each shape and group, and the CPU of each shape. Patterns are made as the prices of the rows ask for them, which
 * is column generation by Gilmore and Gomory (1961).
 */
export class CapacityProgram {
  private readonly program: LinearProgram;
  private readonly bins: readonly Bin[];

  constructor(
    solver: LinearSolver,
    private readonly fleet: readonly ShapeCount[],
    private readonly demands: readonly Demand[],
  ) {
    const groups = fleet.flatMap(({ shape, count }, index) =>
      shape.groups.map(group => ({ shape, group, count, shapeRow: demands.length + index })),
    );
    const firstUnitRow = demands.length + fleet.length;
    this.program = solver.program(firstUnitRow + groups.length);
    for (const [index, { shape, count }] of fleet.entries()) {
      this.program.limitRow(demands.length + index, (shape.cpuMillis / 1000) * count);
    }
    for (const [index, { group, count }] of groups.entries()) {
      this.program.limitRow(firstUnitRow + index, group.count * count);
    }
    this.bins = groups.map(({ shape, group, shapeRow }, index) =>
      binOf(demands, shape, group, shapeRow, firstUnitRow + index),
    );
    this.addFirstPatterns();
  }

  /**
   * By how many units the best allocation grows for one more request of each demand: 0 where no use of what there is
   * would take it.
   *
   * @param requests of each demand
   */
  pricesOf(requests: ArrayLike<number>): Float64Array {
    for (let row = 0; row < this.demands.length; row++) this.program.limitRow(row, requests[row]!);
    for (let round = 0; round < roundsMax; round++) {
      const optimum = this.program.solve();
      if (!this.addBetterPatterns(optimum)) return optimum.rowPrices.slice(0, this.demands.length);
    }
    throw new Error(`no optimum after ${roundsMax} rounds of column generation`);
  }

  dispose(): void {
    this.program.dispose();
  }

  /** A solver has nothing to say about a program without columns, so each demand begins with one pattern. */
  private addFirstPatterns(): void {
    for (const [index, { shape }] of this.fleet.entries()) {
      for (const [row, demand] of this.demands.entries()) {
        if (demand.cpuMillis === 0 || !shapeCouldHostCpu(demand, shape)) continue;
        const vcpu = demand.cpuMillis / 1000;
        this.program.addColumn(cpuAloneWorth * vcpu, [row, this.demands.length + index], [1, vcpu]);
      }
    }
    for (const bin of this.bins) {
      for (const row of bin.whole) this.addPattern(bin, new Map([[row, 1 / this.demands[row]!.unitCount]]));
      for (const row of bin.shared) {
        const copies = Math.floor(packSteps / stepsOf(this.demands[row]!.shareThousandths));
        this.addPattern(bin, new Map([[row, copies]]));
      }
    }
  }

  /** Adds the patterns that are worth more than the unit that they take; says whether there was any. */
  private addBetterPatterns({ rowPrices }: LinearOptimum): boolean {
    let isAdded = false;
    for (const bin of this.bins) {
      const unitPrice = rowPrices[bin.unitRow]! + tolerance;
      const worth = (row: number): number =>
        unitsAskedFor(this.demands[row]!) -
        rowPrices[row]! -
        (rowPrices[bin.shapeRow]! * this.demands[row]!.cpuMillis) / 1000;
      for (const row of bin.whole) {
        const { unitCount } = this.demands[row]!;
        if (worth(row) / unitCount <= unitPrice) continue;
        this.addPattern(bin, new Map([[row, 1 / unitCount]]));
        isAdded = true;
      }
      const pack = bestPack(
        bin.shared.map(row => ({ steps: stepsOf(this.demands[row]!.shareThousandths), worth: worth(row) })),
      );
      if (pack.worth <= unitPrice) continue;
      this.addPattern(bin, new Map([...pack.copies].map(([at, copies]) => [bin.shared[at]!, copies])));
      isAdded = true;
    }
    return isAdded;
  }

  private addPattern({ unitRow, shapeRow }: Bin, copies: ReadonlyMap<number, number>): void {
    let units = 0;
    let vcpu = 0;
    for (const [row, count] of copies) {
      units += unitsAskedFor(this.demands[row]!) * count;
      vcpu += (this.demands[row]!.cpuMillis / 1000) * count;
    }
    const rows = [...copies.keys(), unitRow];
    const values = [...copies.values(), 1];
    if (vcpu > 0) {
      rows.push(shapeRow);
      values.push(vcpu);
    }
    this.program.addColumn(units, rows, values);
  }
}

function binOf(
  demands: readonly Demand[],
  shape: Shape,
  group: UnitGroup,
  shapeRow: number,
  unitRow: number,
): Bin {
  const hosted = [...demands.keys()].filter(row => groupCouldHost(demands[row]!, shape, group));
  const shared = hosted.filter(row => sharesUnit(demands[row]!));
  return { shapeRow, unitRow, shared, whole: hosted.filter(row => !sharesUnit(demands[row]!)) };
}
