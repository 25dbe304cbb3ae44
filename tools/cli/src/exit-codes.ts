/** What scripts may rely on. */
export const exitCode = {
  /** Something that is needed does not work, or does not suffice. */
  failed: 1,
  wrongUsage: 2,
  notSetUp: 3,
  unreachable: 4,
  refused: 5,
} as const;
