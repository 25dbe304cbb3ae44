import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

const COMMANDS = [
  'cat',
  'dd',
  'head',
  'id',
  'kill',
  'ln',
  'ls',
  'mkdir',
  'mkfifo',
  'mknod',
  'mount',
  'nc',
  'sh',
];
const MORE_COMMANDS = ['seq', 'sleep', 'touch', 'true', 'unshare', 'chmod', 'cp', 'printf', 'test', 'grep'];
const LAYER_TYPE = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
const CONFIG_TYPE = 'application/vnd.docker.container.image.v1+json';
const MANIFEST_TYPE = 'application/vnd.docker.distribution.manifest.v2+json';

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** A registry with one image, a shell that runs its first argument, for engines to pull by its digest. */
export async function serveShellImage(busybox: string): Promise<{ image: string; close(): Promise<void> }> {
  const layer = await layerOf(busybox);
  const packed = gzipSync(layer);
  const config = json({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    // As an image that was made without a thought for the machine.
    config: { Entrypoint: ['/bin/sh', '-c'], User: '0:0', Volumes: { '/data': {} } },
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  });
  const described = (mediaType: string, bytes: Uint8Array) => ({
    mediaType,
    size: bytes.length,
    digest: digestOf(bytes),
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: described(CONFIG_TYPE, config),
    layers: [described(LAYER_TYPE, packed)],
  });
  const contents = new Map([manifest, config, packed].map(bytes => [digestOf(bytes), bytes]));
  const server = createServer(({ url = '' }, response) => {
    const bytes = contents.get(url.split('/').at(-1) ?? '');
    if (url === '/v2/') response.end();
    else if (!bytes) response.writeHead(404).end();
    else response.setHeader('content-type', bytes === manifest ? MANIFEST_TYPE : LAYER_TYPE).end(bytes);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    image: `127.0.0.1:${port}/shell@${digestOf(manifest)}`,
    close: () => new Promise(resolve => server.close(() => resolve())),
  };
}

async function layerOf(busybox: string): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'astro-image-'));
  try {
    await mkdir(join(folder, 'bin'));
    await copyFile(busybox, join(folder, 'bin', 'busybox'));
    for (const command of [...COMMANDS, ...MORE_COMMANDS])
      await symlink('busybox', join(folder, 'bin', command));
    const packed = await promisify(execFile)('tar', ['-C', folder, '-c', 'bin'], {
      encoding: 'buffer',
      maxBuffer: 64 * 1024 * 1024,
    });
    return packed.stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
