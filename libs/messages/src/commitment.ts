/** What a validator found, and the salt without which nobody can guess it from a commitment. */
export type Opening = { readonly digest: string; readonly salt: string };

/** One round of a task's audit: what was committed to in another is worth nothing in it. */
export const exchangeOf = (taskId: string, round: number): string => `${taskId}/${round}`;

/** The text whose SHA-256 is a commitment: bound to the exchange and to who commits, so that neither can be another. */
export const commitmentText = (exchangeId: string, partyId: string, { digest, salt }: Opening): string =>
  JSON.stringify(['astro commitment 1', exchangeId, partyId, digest, salt]);
