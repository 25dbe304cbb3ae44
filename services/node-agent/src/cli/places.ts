import { homedir } from 'node:os';
import { join } from 'node:path';

export type Places = { readonly configFile: string; readonly stateDir: string };

/** Where a node is kept unless its operator says otherwise: the machine's own folders as root, else the user's. */
export function placesOf(
  asked: { readonly configFile?: string | undefined; readonly stateDir?: string | undefined },
  env: NodeJS.ProcessEnv,
): Places {
  const isRoot = process.getuid?.() === 0;
  const usual = isRoot ? '/var/lib/astro-node' : join(homedir(), '.local/state/astro-node');
  const config = isRoot ? '/etc/astro/node.env' : join(homedir(), '.config/astro/node.env');
  const stateDir = asked.stateDir ?? usual;
  const beside = asked.stateDir === undefined ? config : join(asked.stateDir, 'node.env');
  return { configFile: asked.configFile ?? (env['AGENT_CONFIG'] || beside), stateDir };
}
