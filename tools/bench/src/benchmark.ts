/** Says on the standard error what is going on; the figures alone go to the standard output. */
export type Progress = (line: string) => void;

export type Benchmark = {
  /** One line for the list. */
  readonly measures: string;
  /** @param folder is empty, and removed afterwards */
  run(folder: string, progress: Progress): Promise<Readonly<Record<string, number | readonly number[]>>>;
};
