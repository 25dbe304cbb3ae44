import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';

/**
 * Commits what `work` does, or nothing of it. Not `em.transactional`, which never gives a connection back to the pool
 * when the server has cut it: a few restarts of the server would use up the pool. `work` must not nest transactions.
 */
export async function inTransaction<T>(orm: MikroORM, work: (em: EntityManager) => Promise<T>): Promise<T> {
  let failure: { readonly cause: unknown } | undefined;
  const transaction = orm.em.fork().getKysely().transaction();
  try {
    return await transaction.execute(async context => {
      const em = orm.em.fork();
      em.setTransactionContext(context);
      try {
        const result = await work(em);
        await em.flush();
        return result;
      } catch (cause) {
        failure = { cause };
        throw cause;
      }
    });
  } catch (error) {
    // A rollback on a connection that is gone fails as well, and would hide why the transaction failed.
    throw failure === undefined ? error : failure.cause;
  }
}
