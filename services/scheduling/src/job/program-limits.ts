import type { Program } from '@astro/messages/scheduling';

/** WebAssembly's own bound: 65,536 pages of 64 KiB. */
const WASM_MEMORY_MIB_MAX = 4_096;
const FUEL_MAX = 1_000_000_000_000_000;
const IMAGE_LENGTH_MAX = 255;
/** A tag can be moved to other bytes, and then nodes would not run the same program: only a digest will do. */
const IMAGE = /^[a-z0-9][a-z0-9._/:-]*@sha256:[0-9a-f]{64}$/;
const CID = /^b[a-z2-7]{10,100}$/;

export const isCid = (text: string): boolean => CID.test(text);
export const isImage = (text: string): boolean => text.length <= IMAGE_LENGTH_MAX && IMAGE.test(text);

/** The first thing that is wrong with what a program asks of its runtime, by field. */
export function flawOfRuntime(program: Program): string | undefined {
  switch (program.runtime ?? 'wasm') {
    case 'unspecified':
      return 'spec.program.runtime: must be specified, or absent';
    case 'wasm':
      return flawOfFile(program) ?? flawOfModule(program);
    case 'process':
      return flawOfFile(program) ?? flawOfFuel(program);
    case 'container':
      return flawOfImage(program) ?? flawOfFuel(program);
  }
}

function flawOfFile({ cid, image }: Program): string | undefined {
  if (!isCid(cid)) return 'spec.program.cid: must be a content id';
  return image === undefined ? undefined : 'spec.program.image: must be absent, but for a container';
}

function flawOfImage({ cid, image }: Program): string | undefined {
  if (cid !== '') return 'spec.program.cid: must be empty for a container';
  return isImage(image ?? '')
    ? undefined
    : 'spec.program.image: must be a reference with its digest, name@sha256:…';
}

function flawOfModule({ memoryLimitMib, fuelLimit, needsNetwork }: Program): string | undefined {
  if (memoryLimitMib > WASM_MEMORY_MIB_MAX)
    return `spec.program.memoryLimitMib: 1 to ${WASM_MEMORY_MIB_MAX} for WebAssembly`;
  if (needsNetwork) return 'spec.program.needsNetwork: WebAssembly has no network';
  const isFuel = fuelLimit === undefined || (Number.isInteger(fuelLimit) && fuelLimit >= 1);
  return isFuel && (fuelLimit ?? 0) <= FUEL_MAX ? undefined : `spec.program.fuelLimit: 1 to ${FUEL_MAX}`;
}

const flawOfFuel = ({ fuelLimit }: Program) =>
  fuelLimit === undefined ? undefined : 'spec.program.fuelLimit: only WebAssembly is metered';
