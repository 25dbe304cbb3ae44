import { createWriteStream } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { download } from '@astro/content/download';
import { httpBlockSource } from '@astro/content/http-block-source';
import { SourceRanks } from '@astro/content/source-ranks';
import { ContentCache } from '@astro/node-agent/content/content-cache';
import { processorMsOf } from '../measure.js';

/** Copies one file, in one of the two ways, into `target`, and says what the second time took. */
const [way = '', url = '', root = '', target = '', quotaBytes = ''] = process.argv.slice(2);

async function plainCopy(): Promise<void> {
  const [response] = (await once(get(url), 'response')) as [IncomingMessage];
  await pipeline(response, createWriteStream(target));
}

async function blockCopy(): Promise<void> {
  const store = await ContentCache.open(target, Number(quotaBytes));
  const sources = [
    httpBlockSource({ url, takesPrivateAddresses: true, authorization: () => 'Bearer bench' }),
  ];
  const { signal } = new AbortController();
  await download(root, { store, sources, ranks: new SourceRanks(), signal });
}

const copy = way === 'plain' ? plainCopy : blockCopy;
// An agent runs for long, so that its code is compiled: the first copy is for that.
await copy();
await rm(target, { recursive: true });
const [startedMs, used] = [performance.now(), process.cpuUsage()];
await copy();
const elapsedMs = performance.now() - startedMs;
process.send?.({ elapsedMs, processorMs: processorMsOf(process.cpuUsage(used)) });
process.disconnect?.();
