export type Sighting = {
  readonly nodeId: string;
  /** When the last heartbeat was recorded, by the stream's clock. */
  readonly lastSeenAt: Date;
  /** When it was heard here, by a clock that only runs forward: what silence is measured by. */
  readonly heardMs: number;
};

/**
 * Which nodes are believed to be online, and when each was last heard. Only a cache: it is held against the read
 * model at every sweep, so that it heals from whatever was lost and holds no more than the nodes that are online
 * and those that came since.
 */
export class Presence {
  readonly #sightings = new Map<string, Sighting>();

  /** Notes a heartbeat of a node that is believed to be online. False when it is not: it must be announced. */
  heard(sighting: Sighting): boolean {
    if (!this.#sightings.has(sighting.nodeId)) return false;
    this.#sightings.set(sighting.nodeId, sighting);
    return true;
  }

  announced(sighting: Sighting): void {
    this.#sightings.set(sighting.nodeId, sighting);
  }

  /**
   * Takes over which nodes are online. One that is not known here gets the benefit of the doubt, as if it was heard
   * now: this process may just have started. One that is known here only is forgotten, so that its next heartbeat
   * announces it anew.
   */
  reconcile(onlineNodeIds: readonly string[], now: Omit<Sighting, 'nodeId'>): void {
    const online = new Set(onlineNodeIds);
    for (const nodeId of this.#sightings.keys()) {
      if (!online.has(nodeId)) this.#sightings.delete(nodeId);
    }
    for (const nodeId of online) {
      if (!this.#sightings.has(nodeId)) this.#sightings.set(nodeId, { nodeId, ...now });
    }
  }

  silentSince(heardMs: number): readonly Sighting[] {
    return [...this.#sightings.values()].filter(sighting => sighting.heardMs <= heardMs);
  }

  forget(nodeId: string): void {
    this.#sightings.delete(nodeId);
  }
}
