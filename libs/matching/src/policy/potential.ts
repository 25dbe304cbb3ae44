import type { NodeShape, RequestClass } from './workload.js';

/**
 * A node as a policy sees it: what it is, and what is free. Mutable and reused, because it is filled for every state
 * that is ever valued; a policy reads it and keeps nothing of it.
 */
export type FreeState = {
  /** Index into the shapes that the policy was made for. */
  shape: number;
  cpuMillis: number;
  /** Thousandths free of each device, for the first `deviceCount` of them. */
  readonly shares: Int32Array;
};

/** Devices of the largest node that a policy can value. */
export const maxDevices = 64;

/**
 * A policy that allocates by a value of states: a request goes where the score of the state after over the state
 * before is largest. The score depends on nothing else, so that identical nodes and requests share it.
 */
export type AllocationPolicy = {
  readonly name: string;
  /** Whether the order of a node's devices matters to the choice among them: if not, states are kept sorted. */
  readonly keepsDeviceOrder: boolean;
  readonly deviceChoice: 'best score, first device' | 'best score, tightest device' | 'tightest device';
  value(state: FreeState): number;
  score(valueBefore: number, valueAfter: number): number;
  /** Among equal scores the lowest wins, then the fixed random order of nodes; absent where the order is all. */
  tieBreak?(state: FreeState): number;
};

/** What a policy is made for: states name shapes by their index. */
export type Workload = { readonly shapes: readonly NodeShape[]; readonly classes: readonly RequestClass[] };

export const freeDevices = ({ shares }: FreeState, deviceCount: number): number => {
  let thousandths = 0;
  for (let device = 0; device < deviceCount; device++) thousandths += shares[device]!;
  return thousandths / 1000;
};
