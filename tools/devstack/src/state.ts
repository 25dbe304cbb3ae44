import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readIfThere, writePrivately } from './files.js';
import { folderElsewhere } from './postgres/location.js';
import { claim, holderOf } from './state-claim.js';

/**
 * The one folder that holds all that a platform keeps: what the servers store, the secrets made for it, the ports it
 * was given. Starting again in the same folder continues from it. One process at a time has it.
 */
export class StateFolder {
  private constructor(
    readonly path: string,
    private readonly releaseClaim: () => void,
  ) {}

  /** @throws StateInUse when another running process has the folder. */
  static open(path: string): StateFolder {
    const folder = resolve(path);
    mkdirSync(folder, { recursive: true });
    const release = claim(folder);
    writePrivately(join(folder, marker), 'This folder belongs to Astro. `npm run reset` removes it.\n');
    return new StateFolder(folder, release);
  }

  /** Deletes the folder. False when there is no state of a platform in it. */
  static forget(path: string): boolean {
    const folder = resolve(path);
    // Only a folder that a platform made is deleted: the path may come from an environment variable.
    if (!existsSync(join(folder, marker))) return false;
    const release = claim(folder);
    rmSync(folderElsewhere(join(folder, 'postgres')), { recursive: true, force: true });
    rmSync(folder, { recursive: true });
    release();
    return true;
  }

  static holder(path: string): number | undefined {
    return holderOf(resolve(path));
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
}

const marker = 'astro-state';
