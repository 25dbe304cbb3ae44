/** Numbers for names that many nodes share, in order of first appearance. */
export class NameTable {
  private readonly ids = new Map<string, number>();
  private readonly names: string[] = [];

  intern(name: string): number {
    let id = this.ids.get(name);
    if (id === undefined) {
      id = this.names.length;
      this.ids.set(name, id);
      this.names.push(name);
    }
    return id;
  }

  /** Absent for a name that no node ever had. */
  idOf(name: string): number | undefined {
    return this.ids.get(name);
  }

  nameOf(id: number): string {
    return this.names[id]!;
  }
}

/** Slots by a name that few nodes share each: a dataset, a fabric. */
export class PostingLists {
  private readonly lists = new Map<string, Set<number>>();

  add(name: string, slot: number): void {
    const list = this.lists.get(name);
    if (list) list.add(slot);
    else this.lists.set(name, new Set([slot]));
  }

  remove(name: string, slot: number): void {
    const list = this.lists.get(name);
    if (list?.delete(slot) && list.size === 0) this.lists.delete(name);
  }

  /** Empty for a name that no node has. */
  slotsOf(name: string): ReadonlySet<number> {
    return this.lists.get(name) ?? none;
  }
}

const none: ReadonlySet<number> = new Set();
