import type { Program, Runtime } from './gen/scheduling.js';

/** What programs can be run by. */
export const runtimeKinds = ['wasm', 'process', 'container'] as const satisfies readonly Exclude<
  Runtime,
  'unspecified'
>[];
export type RuntimeKind = (typeof runtimeKinds)[number];

/** What nodes offer: a network is the operator's to allow, so that a runtime with it is another one to choose. */
export const offeredRuntimes = [...runtimeKinds, 'process+network', 'container+network'] as const;
export type OfferedRuntime = (typeof offeredRuntimes)[number];

/** Programs recorded before there was a choice are WebAssembly. */
export function runtimeOf({ runtime = 'wasm' }: Program): RuntimeKind {
  if (runtime === 'unspecified') throw new Error('a program without a runtime was taken');
  return runtime;
}

/** What a node must offer to be given the program. */
export function neededRuntime(program: Program): OfferedRuntime {
  const kind = runtimeOf(program);
  return program.needsNetwork && kind !== 'wasm' ? `${kind}+network` : kind;
}

/** What names the program's bytes: a content id, or the digest within an image's reference. */
export const codeOf = ({ cid, image }: Program): string => image ?? cid;
