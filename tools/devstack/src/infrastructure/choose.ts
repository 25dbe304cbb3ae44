import type { Ground, Infrastructure, InfrastructureKind } from './infrastructure.js';

const kinds: Readonly<Record<InfrastructureKind, (ground: Ground) => Promise<Infrastructure>>> = {
  // Each is loaded when it is chosen: the container client alone costs half a second.
  embedded: async ground => (await import('./embedded.js')).startEmbedded(ground),
  containers: async ground => (await import('./containers.js')).startContainers(ground),
  external: async ground => (await import('./external.js')).useExternal(ground, process.env),
};

/** The kind that ASTRO_INFRA names, or the embedded one. */
export function chosenKind(env: NodeJS.ProcessEnv): InfrastructureKind {
  const kind = env['ASTRO_INFRA'] || 'embedded';
  if (Object.hasOwn(kinds, kind)) return kind as InfrastructureKind;
  throw new Error(`ASTRO_INFRA=${kind}: must be one of ${Object.keys(kinds).join(', ')}.`);
}

export const startInfrastructure = (kind: InfrastructureKind, ground: Ground) => kinds[kind](ground);
