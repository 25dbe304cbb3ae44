import highsModule, { type Highs, type Model } from 'highs';
import type {
  LinearOptimum,
  LinearProgram,
  LinearSolver,
} from '@astro/matching/policy/learning/linear-solver';

// The package declares its types as CommonJS, and what Node loads is its module: the default is the loader itself.
const loadHighs = highsModule as unknown as typeof highsModule.default;

/** HiGHS (Huangfu and Hall, 2018) as WebAssembly: it runs in this process, on one thread, and reads no files. */
export async function loadLinearSolver(): Promise<LinearSolver> {
  const highs = await loadHighs();
  return { program: rowCount => new HighsProgram(highs, rowCount) };
}

class HighsProgram implements LinearProgram {
  private readonly model: Model;

  constructor(
    private readonly highs: Highs,
    rowCount: number,
  ) {
    this.model = highs.createModel({
      numCols: 0,
      numRows: rowCount,
      sense: highs.constants.objectiveSense.maximize,
      colCost: [],
      colLower: [],
      colUpper: [],
      rowLower: new Float64Array(rowCount).fill(-highs.infinity),
      rowUpper: new Float64Array(rowCount),
      matrix: { format: 'csc', numRows: rowCount, numCols: 0, starts: [0], indices: [], values: [] },
    });
    // Presolve would throw the last basis away, and with it all that makes the next solution fast.
    this.model.options.set({ output_flag: false, solver: 'simplex', presolve: 'off' });
  }

  limitRow(row: number, upper: number): void {
    this.model.changeRowBounds(row, -this.highs.infinity, upper);
  }

  addColumn(cost: number, rows: readonly number[], values: readonly number[]): void {
    this.model.addCol(cost, 0, this.highs.infinity, { indices: rows, values });
  }

  solve(): LinearOptimum {
    const { modelStatus } = this.model.run();
    if (modelStatus !== this.highs.constants.modelStatus.optimal) {
      throw new Error(`HiGHS ended with model status ${modelStatus} instead of an optimum`);
    }
    return {
      objective: this.model.getObjectiveValue(),
      // A price may come out below 0 by a rounding error.
      rowPrices: this.model.getSolution().rowDual.map(price => Math.max(0, price)),
    };
  }

  dispose(): void {
    this.model.dispose();
  }
}
