import { join } from 'node:path';
import type { HoldingsChanged } from '@astro/messages/agent';
import { isCid } from '@astro/messages/content-id';
import { holdingsDigest, holdingsLimits } from '@astro/messages/holdings';
import { z } from 'zod';
import { readJson, writeJson } from '../state/json-file.js';
import type { ContentCache } from './content-cache.js';

/** All of it is told again after this long, in case somebody has missed a change. */
const WHOLE_EVERY_MS = 3_600_000;

/** A file that was whole in the cache once: with all of its blocks. */
type HeldFile = { readonly sizeBytes: number; readonly blocks: readonly string[] };

const cid = z.string().refine(isCid);
const stored = z.array(z.object({ root: cid, sizeBytes: z.int().min(0), blocks: z.array(cid).min(1) }));

export type HoldingsOptions = {
  readonly stateDir: string;
  readonly cache: Pick<ContentCache, 'has'>;
  readonly nowMs?: () => number;
};

/**
 * What this node tells of the files that it holds whole: those that were used last, of some size, no more than a few.
 * What the cache has put out is withdrawn with the next change that is told.
 */
export class Holdings {
  readonly #file: string;
  readonly #cache: Pick<ContentCache, 'has'>;
  readonly #nowMs: () => number;
  /** The least recently used first. */
  readonly #files: Map<string, HeldFile>;
  #told: ReadonlySet<string> | undefined;
  #wholeAtMs = 0;

  private constructor({ stateDir, cache, nowMs }: HoldingsOptions, files: Map<string, HeldFile>) {
    this.#file = fileIn(stateDir);
    this.#cache = cache;
    this.#nowMs = nowMs ?? (() => performance.now());
    this.#files = files;
  }

  /** With what an earlier run knew. What cannot be read is found out anew by what is used. */
  static async open(options: HoldingsOptions): Promise<Holdings> {
    const known = stored.safeParse(await readJson(fileIn(options.stateDir)).catch(() => undefined));
    const files = (known.data ?? []).map(({ root, ...file }) => [root, file] as const);
    return new Holdings(options, new Map(files));
  }

  /** A file is in the cache, with all of its blocks, and was used now. */
  note(root: string, file: HeldFile): void {
    if (file.sizeBytes < holdingsLimits.bytesMin) return;
    this.#files.delete(root);
    this.#files.set(root, file);
    const [oldest] = this.#files.keys();
    if (this.#files.size > 2 * holdingsLimits.files && oldest !== undefined) this.#files.delete(oldest);
  }

  /** Tells what has changed since it was told last; all of it the first time, and again from time to time. */
  async tell(report: (changed: HoldingsChanged) => Promise<void>): Promise<void> {
    const held = this.#held();
    const isWhole = this.#told === undefined || this.#nowMs() - this.#wholeAtMs >= WHOLE_EVERY_MS;
    const told = isWhole ? new Set<string>() : this.#told!;
    const added = [...held].filter(root => !told.has(root));
    const dropped = [...told].filter(root => !held.has(root));
    if (!isWhole && added.length === 0 && dropped.length === 0) return;
    await report({ isWhole, held: added, dropped, digest: holdingsDigest(held) });
    this.#told = held;
    if (isWhole) this.#wholeAtMs = this.#nowMs();
    const files = [...this.#files].map(([root, file]) => ({ root, ...file }));
    await writeJson(this.#file, files);
  }

  #held(): ReadonlySet<string> {
    for (const [root, { blocks }] of this.#files)
      if (!blocks.every(block => this.#cache.has(block))) this.#files.delete(root);
    return new Set([...this.#files.keys()].slice(-holdingsLimits.files));
  }
}

const fileIn = (stateDir: string): string => join(stateDir, 'holdings.json');
