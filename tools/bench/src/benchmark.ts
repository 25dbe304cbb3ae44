/** Says on the standard error what is going on; the figures alone go to the standard output. */
export type Progress = (line: string) => void;

export type Benchmark = {
  /** One line for the list. */
  readonly measures: string;
  /** The options that it takes, in words; absent: it takes none. */
  readonly usage?: string;
  /**
   * @param folder is empty, and removed afterwards
   * @param options what follows the name; throws a `RangeError` or `TypeError` about wrong ones
   */
  run(
    folder: string,
    progress: Progress,
    options: readonly string[],
  ): Promise<Readonly<Record<string, unknown>>>;
};
