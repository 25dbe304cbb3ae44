import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RAW_FILE_BYTES_MAX } from '@astro/content/block';
import { CHUNK_BYTES } from '@astro/content/write-file';
import { cidOf } from '@astro/messages/content-id';
import { GatewayClient } from '../gateway/gateway-client.js';
import { ContentCache } from './content-cache.js';
import { Content, type Moved } from './content.js';

const CACHE_BYTES = 64 * 1024 * 1024;

/** Stores what is too large for one piece, is cut off half-way, and stores it again. */
export async function uploadWithCut(gatewayUrl: string, key: string) {
  const folder = await mkdtemp(join(tmpdir(), 'astro-upload-'));
  const gateway = new GatewayClient(gatewayUrl);
  try {
    const cache = await ContentCache.open(folder, CACHE_BYTES);
    const content = new Content(gateway, cache, () => Promise.resolve(key));
    const bytes = new Uint8Array(randomBytes(RAW_FILE_BYTES_MAX + 1));
    const cut = new AbortController();
    const before = cuttingOff(cut, bytes.length / 2);
    await content.store(bytes, cut.signal, before).catch((error: unknown) => {
      if (!cut.signal.aborted) throw error;
    });
    const after = { fetchedBytes: 0, uploadedBytes: 0 };
    const root = await content.store(bytes, new AbortController().signal, after);
    const headers = { authorization: `Bearer ${key}` };
    const answer = await fetch(`${gatewayUrl}/v1/content/${root}`, { headers });
    const stored = new Uint8Array(await answer.arrayBuffer());
    const sentBytes = before.uploadedBytes + after.uploadedBytes;
    return {
      wasCut: cut.signal.aborted,
      // But for the part that was on its way, and the list.
      isSentOnce: sentBytes < bytes.length + 2 * CHUNK_BYTES,
      isWhole: cidOf(stored) === cidOf(bytes),
    };
  } finally {
    gateway.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A count that stops the upload once so much of it is sent. */
function cuttingOff(cut: AbortController, atBytes: number): Moved {
  let sentBytes = 0;
  return {
    fetchedBytes: 0,
    get uploadedBytes() {
      return sentBytes;
    },
    set uploadedBytes(bytes) {
      sentBytes = bytes;
      if (sentBytes >= atBytes) cut.abort();
    },
  };
}
