/** What lives in a heap knows its place in it, so that it can leave from the middle. */
export type HeapMember = { slot: number };

/**
 * A binary heap in an array: the first comes first, a member leaves from anywhere in O(log n). `isBefore`
 * must be a strict order without ties, or the order of equal members depends on history.
 */
export class IndexedHeap<Member extends HeapMember> {
  private readonly members: Member[] = [];

  constructor(private readonly isBefore: (a: Member, b: Member) => boolean) {}

  get size(): number {
    return this.members.length;
  }

  /** The member at a slot; slot 0 is the first, the children of slot i are at 2i + 1 and 2i + 2. */
  at(slot: number): Member | undefined {
    return this.members[slot];
  }

  push(member: Member): void {
    this.members.push(member);
    this.rise(member, this.members.length - 1);
  }

  pop(): Member | undefined {
    const first = this.members[0];
    if (first) this.remove(first);
    return first;
  }

  /** The member must be in this heap. */
  remove(member: Member): void {
    const { slot } = member;
    if (this.members[slot] !== member) throw new Error('the member is not in this heap');
    const last = this.members.pop()!;
    if (last === member) return;
    this.sink(last, slot);
    if (last.slot === slot) this.rise(last, slot);
  }

  private rise(member: Member, from: number): void {
    let slot = from;
    while (slot > 0) {
      const above = (slot - 1) >> 1;
      const parent = this.members[above]!;
      if (!this.isBefore(member, parent)) break;
      this.put(parent, slot);
      slot = above;
    }
    this.put(member, slot);
  }

  private sink(member: Member, from: number): void {
    const { members } = this;
    let slot = from;
    for (let below = 2 * slot + 1; below < members.length; below = 2 * slot + 1) {
      const right = below + 1;
      const child = right < members.length && this.isBefore(members[right]!, members[below]!) ? right : below;
      if (!this.isBefore(members[child]!, member)) break;
      this.put(members[child]!, slot);
      slot = child;
    }
    this.put(member, slot);
  }

  private put(member: Member, slot: number): void {
    this.members[slot] = member;
    (member as HeapMember).slot = slot;
  }
}
