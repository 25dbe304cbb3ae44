import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const VERSION = '2.14.6';
const CONNECT_TIMEOUT_MS = 5_000;
const DOWNLOAD_TIMEOUT_MS = 60_000;
/** The archive is about 7 MiB; anything far larger is not it. */
const ARCHIVE_LIMIT_BYTES = 64 * 1024 * 1024;

/**
 * Fetches the official archive into `folder` and unpacks it. It is checked against the SHA256SUMS file that
 * the release publishes beside it, over HTTPS: that protects against a damaged download, and rests on the
 * release page itself for authenticity.
 */
export async function downloadRelease(folder: string): Promise<string> {
  const name = `nats-server-v${VERSION}-${platformName()}`;
  const base = `https://github.com/nats-io/nats-server/releases/download/v${VERSION}`;
  const sums = (await download(`${base}/SHA256SUMS`)).toString('utf8');
  const expected = sums
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .find(([, file]) => file?.replace(/^\*/, '') === `${name}.tar.gz`)?.[0];
  if (!expected) throw new Error(`the release has no checksum for ${name}.tar.gz`);
  const archive = await download(`${base}/${name}.tar.gz`);
  const actual = createHash('sha256').update(archive).digest('hex');
  if (actual !== expected) throw new Error(`checksum of ${name}.tar.gz is ${actual}, not ${expected}`);
  const path = join(folder, 'nats-server.tar.gz');
  await writeFile(path, archive);
  await run('tar', ['-xzf', path, '-C', folder], { timeout: 30_000 });
  return join(folder, name, 'nats-server');
}

function platformName(): string {
  const systems: Partial<Record<NodeJS.Platform, string>> = { linux: 'linux', darwin: 'darwin' };
  const processors: Record<string, string> = { x64: 'amd64', arm64: 'arm64', arm: 'arm7' };
  const system = systems[process.platform];
  const processor = processors[process.arch];
  if (!system || !processor) throw new Error(`no archive for ${process.platform} on ${process.arch}`);
  return `${system}-${processor}`;
}

/** An answer must begin within seconds, so that a machine without this road loses little time on it. */
async function download(url: string): Promise<Buffer> {
  const begin = new AbortController();
  const timer = setTimeout(() => begin.abort(new Error('no answer')), CONNECT_TIMEOUT_MS);
  const signal = AbortSignal.any([begin.signal, AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS)]);
  try {
    const response = await fetch(url, { signal });
    clearTimeout(timer);
    if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
    return await readAll(response.body);
  } catch (cause) {
    throw new Error(`${new URL(url).host} gave no ${url.split('/').at(-1)}: ${reason(cause)}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

const reason = (cause: unknown): string =>
  cause instanceof Error
    ? cause.cause instanceof Error
      ? cause.cause.message
      : cause.message
    : String(cause);

async function readAll(body: ReadableStream<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > ARCHIVE_LIMIT_BYTES) throw new Error(`it is larger than ${ARCHIVE_LIMIT_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
