import type { Program, Runtime } from './gen/scheduling.js';

/** What programs can be run by. */
export const runtimeKinds = ['wasm', 'process', 'container'] as const satisfies readonly Exclude<
  Runtime,
  'unspecified'
>[];
export type RuntimeKind = (typeof runtimeKinds)[number];

/**
 * What nodes offer: a network is the operator's to allow, so that a runtime with it is another one to choose; and not
 * every node can reach the port of a server.
 */
export const offeredRuntimes = [
  ...runtimeKinds,
  'process+network',
  'container+network',
  'process+server',
  'container+server',
] as const;
export type OfferedRuntime = (typeof offeredRuntimes)[number];

/** Programs recorded before there was a choice are WebAssembly. */
export function runtimeOf({ runtime = 'wasm' }: Program): RuntimeKind {
  if (runtime === 'unspecified') throw new Error('a program without a runtime was taken');
  return runtime;
}

/** What a node must offer to be given the program, for which a server has no network. */
export function neededRuntime(program: Program, isServer = false): OfferedRuntime {
  const kind = runtimeOf(program);
  if (isServer && kind !== 'wasm') return `${kind}+server`;
  return program.needsNetwork && kind !== 'wasm' ? `${kind}+network` : kind;
}

/** What names the program's bytes: a content id, or the digest within an image's reference. */
export const codeOf = ({ cid, image }: Program): string => image ?? cid;
