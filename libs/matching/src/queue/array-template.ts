/** What the tasks of an array are made from. In names and arguments `{index}` stands for the task's index. */
export type ArrayTemplate = {
  /** One task for each index from 0 up to, not with, this. */
  readonly count: number;
  /** Each with one content that all tasks share, or one for each index. */
  readonly inputs: readonly {
    readonly name: string;
    readonly cids: readonly string[];
    readonly isEncrypted?: boolean;
  }[];
  readonly args: readonly string[];
};

export type TaskOfArray = {
  readonly taskId: string;
  readonly inputs: readonly { readonly name: string; readonly cid: string; readonly isEncrypted?: boolean }[];
  readonly args: readonly string[];
};

/** The rule that the inputs break, with the field's name first; nothing when they are sound. */
export function inputsFault({ count, inputs }: ArrayTemplate): string | undefined {
  const index = inputs.findIndex(({ cids }) => cids.length !== 1 && cids.length !== count);
  return index < 0 ? undefined : `inputs[${index}].cids: one for all tasks, or one for each of ${count}`;
}

/** @param template its inputs are sound */
export const expandArray = (
  template: ArrayTemplate,
  taskIdOf: (index: number) => string,
): readonly TaskOfArray[] =>
  Array.from({ length: template.count }, (_, index) => ({
    taskId: taskIdOf(index),
    inputs: template.inputs.map(({ name, cids, ...how }) => ({
      name: withIndex(name, index),
      ...how,
      cid: cids.length === 1 ? cids[0]! : cids[index]!,
    })),
    args: template.args.map(arg => withIndex(arg, index)),
  }));

const withIndex = (text: string, index: number): string => text.replaceAll('{index}', `${index}`);
