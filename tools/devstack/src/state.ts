import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readIfThere, writePrivately } from './files.js';
import { folderElsewhere } from './postgres/location.js';
import { claim } from './state-claim.js';

/**
 * The one folder that holds all that a platform keeps: what the servers store, the secrets made for it, the ports it
 * was given. Starting again in the same folder continues from it. One process at a time has it.
 */
export class StateFolder {
  private constructor(
    readonly path: string,
    private readonly releaseClaim: () => void,
  ) {}

  /**
   * @throws StateInUse when another running process has the folder, and an error when somebody else's files are in it:
   * forgetting the state deletes the whole folder.
   */
  static open(path: string): StateFolder {
    const folder = resolve(path);
    mkdirSync(folder, { recursive: true });
    // PostgreSQL's account may have to pass through; what is secret in here is closed file by file.
    chmodSync(folder, 0o711);
    if (!StateFolder.isOne(folder) && readdirSync(folder).length > 0) {
      throw new Error(`${folder} holds something else than the state of Astro: name another folder.`);
    }
    writePrivately(join(folder, marker), 'This folder belongs to Astro. `npm run reset` removes it.\n');
    return new StateFolder(folder, claim(folder));
  }

  /** Whether a platform made this folder. */
  static isOne(path: string): boolean {
    return existsSync(join(resolve(path), marker));
  }

  folder(...names: string[]): string {
    const path = join(this.path, ...names);
    mkdirSync(path, { recursive: true });
    return path;
  }

  read<T>(name: string): T | undefined {
    const text = readIfThere(join(this.path, `${name}.json`));
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }

  write(name: string, value: unknown): void {
    writePrivately(join(this.path, `${name}.json`), `${JSON.stringify(value, undefined, 2)}\n`);
  }

  remove(name: string): void {
    rmSync(join(this.path, `${name}.json`), { force: true });
  }

  /** What was kept under this name, or, the first time, what `make` makes. */
  async once<T>(name: string, make: () => T | Promise<T>): Promise<T> {
    const kept = this.read<T>(name);
    if (kept !== undefined) return kept;
    const made = await make();
    this.write(name, made);
    return made;
  }

  /** Writes a text file for a process that wants a path, and returns the path. */
  writeFile(name: string, text: string): string {
    const path = join(this.path, name);
    writePrivately(path, text);
    return path;
  }

  close(): void {
    this.releaseClaim();
  }

  /** Deletes the folder and all that was kept for it elsewhere. */
  forget(): void {
    rmSync(folderElsewhere(join(this.path, 'postgres')), { recursive: true, force: true });
    rmSync(this.path, { recursive: true });
  }
}

const marker = 'astro-state';
