/** A linear program in work: maximise the cost of the columns within the limits of the rows. All columns are ≥ 0. */
export type LinearProgram = {
  limitRow(row: number, upper: number): void;
  /** `rows` and `values` are the column's entries that are not 0. */
  addColumn(cost: number, rows: readonly number[], values: readonly number[]): void;
  /** Throws where there is no optimum. Begins from the last optimum, so that small changes are solved fast. */
  solve(): LinearOptimum;
  /** Frees what the solver holds for it; the program is not used afterwards. */
  dispose(): void;
};

export type LinearOptimum = {
  readonly objective: number;
  /** By how much the objective would grow for one more of each row's limit; never negative. */
  readonly rowPrices: Float64Array;
};

/** Solves linear programs. Learning is handed one, because arithmetic alone has none. */
export type LinearSolver = { program(rowCount: number): LinearProgram };
