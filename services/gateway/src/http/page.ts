import { z } from 'zod';
import { encodeCursor } from './cursor.js';

/** Query parameters of every list. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20).meta({ example: 20 }),
  cursor: z.string().min(1).max(512).optional().meta({ description: '`nextCursor` of the page before' }),
});

export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), nextCursor: z.string().optional() });

/** A page of a read model as the client gets it. */
export function toPage<Row, Item>(
  page: { readonly items: readonly Row[]; readonly nextCursor?: string },
  scope: string,
  toItem: (row: Row) => Item,
): { items: Item[]; nextCursor?: string } {
  const items = page.items.map(toItem);
  return page.nextCursor === undefined
    ? { items }
    : { items, nextCursor: encodeCursor(scope, page.nextCursor) };
}
