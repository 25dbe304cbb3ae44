import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const chunk = Buffer.alloc(1 << 20);

/** A disk of its own under a folder, in memory, small enough to be filled. Linux, and root only. */
export class SmallDisk {
  private constructor(private readonly folder: string) {}

  /** Undefined where this process may not mount. */
  static async mount(folder: string, sizeMib: number): Promise<SmallDisk | undefined> {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
    mkdirSync(folder, { recursive: true });
    try {
      await execute('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m,mode=0711`, 'tmpfs', folder]);
      return new SmallDisk(folder);
    } catch (error) {
      // A container's root may lack the right: the run then goes without this fault, and says so.
      if ((error as { code?: unknown }).code === 32 || (error as { code?: unknown }).code === 1)
        return undefined;
      throw error;
    }
  }

  /** Leaves no byte free. */
  async fill(): Promise<void> {
    const file = await open(this.filler, 'w');
    try {
      for (;;) await file.write(chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      await file.close();
    }
  }

  async free(): Promise<void> {
    await rm(this.filler, { force: true });
  }

  async unmount(): Promise<void> {
    await execute('umount', ['--lazy', this.folder]);
  }

  private get filler(): string {
    return join(this.folder, 'filler');
  }
}
