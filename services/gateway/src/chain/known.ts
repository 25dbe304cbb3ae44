import type { EntityManager } from '@mikro-orm/postgresql';
import { Problem } from '../http/problem.js';
import type { ReadModels } from '../read-models.js';

/** PostgreSQL's code. */
const undefinedTable = '42P01';

/**
 * What the indexer has mirrored. Before it has run for the first time there are no tables; before the first block they
 * are empty. @throws Problem `chain_not_indexed`
 */
export async function knownOfChain<T>(
  readModels: ReadModels,
  read: (em: EntityManager) => Promise<T | undefined>,
): Promise<T> {
  const found = await readModels.query(em =>
    read(em).catch((error: unknown) => {
      if ((error as { readonly code?: string }).code !== undefinedTable) throw error;
    }),
  );
  if (found === undefined) throw new Problem('chain_not_indexed', { headers: { 'retry-after': '5' } });
  return found;
}
