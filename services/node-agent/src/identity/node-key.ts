import { stat } from 'node:fs/promises';
import { identityPath, openIdentity, readIdentity, type Identity } from './identity.js';

const MS_PER_DAY = 24 * 3_600_000;

/** The key of this node as it is used now. Another process may have rotated it in the folder. */
export class NodeKey {
  readonly #stateDir: string;
  #current: Identity;

  private constructor(stateDir: string, current: Identity) {
    this.#stateDir = stateDir;
    this.#current = current;
  }

  static async open(stateDir: string): Promise<NodeKey> {
    return new NodeKey(stateDir, await openIdentity(stateDir));
  }

  get current(): Identity {
    return this.#current;
  }

  /** Takes over what stands in the folder. A key that is gone from there is not replaced: that were another node. */
  async reload(): Promise<void> {
    this.#current = (await readIdentity(identityPath(this.#stateDir))) ?? this.#current;
  }

  async isOlderThan(days: number, nowMs: number): Promise<boolean> {
    const { mtimeMs } = await stat(identityPath(this.#stateDir));
    return nowMs - mtimeMs > days * MS_PER_DAY;
  }
}
