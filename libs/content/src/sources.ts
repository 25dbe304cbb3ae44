import type { SourceRanks } from './source-ranks.js';

export type BlockSource = {
  readonly name: string;
  /** Asked only for what no other has, or while no other is left: the platform's own. */
  readonly isLastResort?: boolean;
  /**
   * The bytes unchecked, but no more than `limitBytes` of them.
   * @param into memory that it may use for them
   * @throws BlockMissing when it does not have it; another Error when it cannot be had from it now
   */
  fetch(cid: string, limitBytes: number, signal: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
};

/** Where blocks are kept, so that what was fetched once is there after a cut or a restart. */
export type BlockStore = {
  /** The bytes are written over once it resolves: what it keeps in memory, it copies. */
  put(cid: string, bytes: Uint8Array): Promise<void>;
  get(cid: string): Promise<Uint8Array | undefined>;
  has(cid: string): boolean;
};

/** The source is there, and does not have the block. */
export class BlockMissing extends Error {
  override readonly name = 'BlockMissing';
}

export const downloadLimits = {
  /** Requests under way at one source: the next one is on its way while a block is checked and written. */
  inFlightOfSource: 4,
  /** Failures in a row after which a source is left alone for the rest of the file. */
  failuresOfSource: 3,
  /** A block is asked for elsewhere too once it takes so many times what it was expected to. */
  slowFactor: 3,
  slowAfterMs: 500,
  slowAfterMsMax: 5_000,
} as const;

export type DownloadParts = {
  readonly store: BlockStore;
  readonly sources: readonly BlockSource[];
  readonly ranks: SourceRanks;
  readonly signal: AbortSignal;
  /** Told of sources that lied, which are not asked again. */
  readonly distrusted?: (name: string, cid: string) => void;
};
