import { join } from 'node:path';
import { readIfThere } from './files.js';
import { freePort, isFree } from './ports.js';
import type { StateFolder } from './state.js';

const file = 'ports';

/** `ASTRO_GATEWAY_PORT`, `ASTRO_NATS_PORT`, … */
export const portVariable = (name: string) => `ASTRO_${name.toUpperCase().replaceAll('-', '_')}_PORT`;

/**
 * Where a server of the platform in this folder listens, for whoever stands between it and its clients.
 * @throws Error when the platform has not given it a port yet
 */
export function portGiven(stateDir: string, name: string): number {
  const ports = JSON.parse(readIfThere(join(stateDir, `${file}.json`)) ?? '{}') as Record<string, number>;
  const port = ports[name];
  if (port === undefined) throw new Error(`the platform in ${stateDir} has no port for ${name} yet`);
  return port;
}

/**
 * Gives each server of a platform a port of its own and remembers it: a restart gets the same ones, as long as nobody
 * else has taken them.
 */
export class PortBook {
  private readonly given = new Set<number>();

  /** @param preferred tried first where neither the environment nor an earlier start says which. */
  constructor(
    private readonly state: StateFolder,
    private readonly preferred: Readonly<Record<string, number>> = {},
    private readonly env: NodeJS.ProcessEnv = process.env,
  ) {}

  /** @throws when the environment names a port that is not a number or is taken. */
  async portFor(name: string): Promise<number> {
    const port = this.configured(name) ?? (await this.chosen(name));
    if (!(await isFree(port)))
      throw new Error(`${portVariable(name)}=${port}: another server listens there.`);
    this.given.add(port);
    this.state.write(file, { ...this.remembered(), [name]: port });
    return port;
  }

  private configured(name: string): number | undefined {
    const text = this.env[portVariable(name)];
    if (text === undefined) return undefined;
    const port = Number(text);
    if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
    throw new Error(`${portVariable(name)}=${text}: not a port number.`);
  }

  /** Ports that were given out but are not listened on yet look free; they are drawn again. */
  private async chosen(name: string): Promise<number> {
    let wish = this.remembered()[name] ?? this.preferred[name];
    for (;;) {
      const port = await freePort(wish);
      if (!this.given.has(port)) return port;
      wish = undefined;
    }
  }

  private remembered(): Readonly<Record<string, number>> {
    return this.state.read<Record<string, number>>(file) ?? {};
  }
}
