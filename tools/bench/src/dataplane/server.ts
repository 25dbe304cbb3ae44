import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { ContentCache } from '@astro/node-agent/content/content-cache';
import { ContentServer } from '@astro/node-agent/content/content-server';
import { processorMsOf } from '../measure.js';

/** One file by a plain server, and its blocks by the agent's. Says both ports, and what it used when asked. */
const [file = '', cacheFolder = '', quotaBytes = ''] = process.argv.slice(2);

const plain = createServer((_request, response) => void pipeline(createReadStream(file), response));
await new Promise<void>(resolve => plain.listen(0, '127.0.0.1', resolve));

const blocks = await ContentServer.listen(
  { host: '127.0.0.1', port: 0 },
  {
    cache: await ContentCache.open(cacheFolder, Number(quotaBytes)),
    bytesPerSecondMax: Infinity,
    peerOf: () => Promise.resolve('bench'),
    log: { info: () => undefined, warn: console.error, error: console.error },
  },
);
process.on('message', () => process.send?.({ processorMs: processorMsOf(process.cpuUsage()) }));
process.on('disconnect', () => process.exit(0));
process.send?.({ plainPort: (plain.address() as AddressInfo).port, blockPort: blocks.port });
