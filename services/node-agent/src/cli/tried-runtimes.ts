import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OfferedRuntime, RuntimeKind } from '@astro/messages/runtimes';
import type { NodeAgentConfig } from '../node-agent.config.js';
import type { Machine } from '../probe/machine.js';
import { runtimesOf } from '../runtime/allowed-runtimes.js';
import type { Availability } from '../runtime/task-runtime.js';

export type TriedRuntime = { readonly kind: RuntimeKind; readonly found: Availability };

/**
 * Tries runtimes as the agent does at its start, but on ground of their own: there they clear away what an agent of
 * the same folder has left, and one may be running.
 */
export async function tryRuntimes(
  config: NodeAgentConfig,
  machine: Machine,
  kinds: readonly RuntimeKind[] = config.RUNTIMES,
): Promise<readonly TriedRuntime[]> {
  const folder = await mkdtemp(join(tmpdir(), 'astro-trial-'));
  const asked = { ...config, AGENT_STATE_DIR: folder, RUNTIMES: [...kinds] };
  try {
    const tried: TriedRuntime[] = [];
    for (const runtime of runtimesOf(asked, machine)) {
      tried.push({ kind: runtime.kind, found: await runtime.available() });
      await runtime.close();
    }
    return tried;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** As the agent offers them. */
export const namesOf = (tried: readonly TriedRuntime[]): readonly OfferedRuntime[] =>
  tried.flatMap(({ kind, found }) => {
    if (!found.isAvailable) return [];
    return found.hasNetwork && kind !== 'wasm' ? [kind, `${kind}+network` as const] : [kind];
  });
