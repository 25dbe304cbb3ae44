import type { Requirements } from '@astro/matching/engine/request';
import type { JobSpec } from '@astro/messages/scheduling';
import { needsOf } from './needs.js';

/** Beyond it the table begins anew: what is in it follows from the jobs. */
const NEEDS_MAX = 10_000;

/** The engine compiles a requirements object once, so that jobs which need the same share one. */
export class NeedsTable {
  readonly #byKey = new Map<string, Requirements>();

  of(needsKey: string, spec: JobSpec, surgePermille: number): Requirements {
    const key = `${surgePermille} ${needsKey}`;
    const known = this.#byKey.get(key);
    if (known) return known;
    if (this.#byKey.size >= NEEDS_MAX) this.#byKey.clear();
    const needs = needsOf(spec, surgePermille);
    this.#byKey.set(key, needs);
    return needs;
  }
}
