import { joined, RAW_FILE_BYTES_MAX, WrongBlock } from '@astro/content/block';
import { download } from '@astro/content/download';
import { readFile } from '@astro/content/read-file';
import { SourceRanks } from '@astro/content/source-ranks';
import { BlockMissing, type BlockSource } from '@astro/content/sources';
import { writeFile } from '@astro/content/write-file';
import { reasonOf, type Log } from '@astro/jetstream/log';
import type { DesiredState } from '@astro/messages/agent';
import { cidOf, isCid } from '@astro/messages/content-id';
import { GatewayRefusal, type GatewayClient } from '../gateway/gateway-client.js';
import type { ContentCache } from './content-cache.js';
import { FileStore } from './file-store.js';
import type { Holdings } from './holdings.js';
import type { PeerSources } from './peer-sources.js';

/** The bytes that came for a content id are others. */
export class ContentMismatch extends Error {
  override readonly name = 'ContentMismatch';
}

/** Bytes that a lease has moved: not those of the cache, nor those that another lease was fetching. */
export type Moved = { fetchedBytes: number; uploadedBytes: number };

/** The gateway's name among sources; all others are nodes. */
const GATEWAY = 'gateway';

export type Peers = {
  readonly sources: PeerSources;
  /** What is told of what this node holds. */
  readonly holdings: Pick<Holdings, 'note'>;
  readonly log: Log;
};

/**
 * Inputs come from other nodes that hold them, or from the gateway, by their content id; outputs go to the gateway;
 * both are kept on disk for the next task and for other nodes.
 */
export class Content {
  readonly #gateway: GatewayClient;
  readonly #cache: ContentCache;
  readonly #authorization: () => Promise<string>;
  readonly #peers: Peers | undefined;
  readonly #ranks = new SourceRanks();
  readonly #fetching = new Map<string, Promise<Uint8Array>>();
  /** Files of the leases that are wanted, whose blocks stay in the cache as long as these. */
  readonly #kept = new Map<string, FileStore>();
  #wanted: ReadonlySet<string> = new Set();

  constructor(
    gateway: GatewayClient,
    cache: ContentCache,
    authorization: () => Promise<string>,
    peers?: Peers,
  ) {
    this.#gateway = gateway;
    this.#cache = cache;
    this.#authorization = authorization;
    this.#peers = peers;
  }

  /** What the leases of this node need stays in the cache as long as they do, and may be had from these nodes. */
  async want(state: DesiredState): Promise<void> {
    this.#peers?.sources.learn(state);
    this.#wanted = new Set(
      state.assignments.flatMap(({ program, inputs }) => [program.cid, ...inputs.map(({ cid }) => cid)]),
    );
    for (const [cid, file] of this.#kept) {
      if (this.#wanted.has(cid)) continue;
      this.#kept.delete(cid);
      await file.release();
    }
  }

  /**
   * @param moved counts what others sent
   * @throws ContentMismatch, BlockMissing, GatewayRefusal, or another Error when it cannot be had now
   */
  async fetch(cid: string, signal: AbortSignal, moved?: Moved): Promise<Uint8Array> {
    if (!isCid(cid)) throw new ContentMismatch('an input has no proper content id');
    for (;;) {
      signal.throwIfAborted();
      const inFlight = this.#fetching.get(cid);
      // Leases of one job share their program. Whoever waits for another lease's download tries for itself if
      // that one is stopped.
      if (inFlight) {
        const bytes = await inFlight.catch(() => undefined);
        if (bytes) return bytes;
        continue;
      }
      const fetching = this.#load(cid, signal, moved).finally(() => this.#fetching.delete(cid));
      this.#fetching.set(cid, fetching);
      return fetching;
    }
  }

  /** Uploads `bytes`, unless the gateway has them, and answers their content id. `moved` counts what was sent. */
  async store(bytes: Uint8Array, signal: AbortSignal, moved?: Moved): Promise<string> {
    if (bytes.length > RAW_FILE_BYTES_MAX) return this.#storeFile(bytes, signal, moved);
    const cid = cidOf(bytes);
    await this.#cache.put(cid, bytes);
    this.#note(cid, bytes.length, [cid]);
    await this.#put(`/v1/content/${cid}`, bytes, signal, moved);
    return cid;
  }

  /** In parts, of which those are sent that the gateway does not have: an upload that was cut goes on where it was. */
  async #storeFile(bytes: Uint8Array, signal: AbortSignal, moved?: Moved): Promise<string> {
    const store = new FileStore(this.#cache, '');
    const blocks = new Map<string, Uint8Array>();
    try {
      const root = await writeFile(bytes, async block => {
        blocks.set(block.cid, block.bytes);
        await store.put(block.cid, block.bytes);
      });
      this.#note(root, bytes.length, [...blocks.keys()]);
      const putList = () => this.#put(`/v1/content/${root}`, blocks.get(root)!, signal, moved);
      for (const cid of await putList().then(() => [], missingBlocks))
        await this.#put(`/v1/blocks/${cid}`, blocks.get(cid) ?? new Uint8Array(), signal, moved);
      await putList();
      return root;
    } finally {
      await store.release();
    }
  }

  async #put(path: string, bytes: Uint8Array, signal: AbortSignal, moved?: Moved): Promise<void> {
    await this.#gateway.request({ method: 'PUT', path, bytes, authorization: this.#authorization }, signal);
    if (moved) moved.uploadedBytes += bytes.length;
  }

  async #load(cid: string, signal: AbortSignal, moved?: Moved): Promise<Uint8Array> {
    const store = new FileStore(this.#cache, cid);
    try {
      const sources = [...(this.#peers?.sources.of(cid) ?? []), this.#gatewaySource()];
      const fetchedBytes = await download(cid, {
        store,
        sources,
        ranks: this.#ranks,
        signal,
        distrusted: (name, block) => this.#peers?.log.warn('a source sent other bytes', { name, block }),
      });
      if (moved) moved.fetchedBytes += fetchedBytes;
      const bytes = await this.#assemble(cid, store);
      this.#note(cid, bytes.length, store.blocks);
      return bytes;
    } catch (error) {
      if (error instanceof WrongBlock) throw new ContentMismatch(reasonOf(error), { cause: error });
      throw error;
    } finally {
      await this.#keepOrRelease(cid, store);
    }
  }

  async #assemble(cid: string, store: FileStore): Promise<Uint8Array> {
    const read = async (block: string) => {
      const bytes = await store.get(block);
      if (!bytes) throw new Error(`${block} was damaged in the cache`);
      return bytes;
    };
    const chunks: Uint8Array[] = [];
    for await (const chunk of readFile(cid, read)) chunks.push(chunk);
    return joined(chunks);
  }

  #note(root: string, sizeBytes: number, blocks: readonly string[]): void {
    this.#peers?.holdings.note(root, { sizeBytes, blocks });
  }

  async #keepOrRelease(cid: string, store: FileStore): Promise<void> {
    const isKept = this.#wanted.has(cid) && !this.#kept.has(cid);
    if (isKept) this.#kept.set(cid, store.onlyCached());
    else await store.release();
  }

  /** It is asked last: what nodes give to each other need not pass through the platform. */
  /** What other nodes usually gave, in KiB a second; undefined while none has given anything. */
  get peerKibPerSecond(): number | undefined {
    const bytesPerMs = this.#ranks.usualBytesPerMs(name => name !== GATEWAY);
    return bytesPerMs === undefined ? undefined : Math.round((bytesPerMs * 1_000) / 1_024);
  }

  #gatewaySource(): BlockSource {
    return {
      name: GATEWAY,
      isLastResort: true,
      fetch: async (cid, limitBytes, signal) => {
        const path = `/ipfs/${cid}?format=raw`;
        const request = { method: 'GET', path, authorization: this.#authorization, limitBytes } as const;
        try {
          return await this.#gateway.request(request, signal);
        } catch (error) {
          if (error instanceof GatewayRefusal && error.status === 404)
            throw new BlockMissing(error.message, { cause: error });
          throw error;
        }
      },
    };
  }
}

function missingBlocks(error: unknown): readonly string[] {
  if (error instanceof GatewayRefusal && error.code === 'blocks_missing') return error.fields;
  throw error;
}
