import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createSecure } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { promisify } from 'node:util';
import { afterEach, expect, test } from '@jest/globals';
import { httpBlockSource } from './http-block-source.js';
import { BlockMissing } from './sources.js';

const never = new AbortController().signal;
const LIMIT_BYTES = 1_000_000;
const block = Uint8Array.from({ length: 300_000 }, (_, index) => (index / 7) % 251);
const closing: (() => void)[] = [];
afterEach(() => closing.splice(0).forEach(close => close()));

const head = (...lines: string[]) => [...lines, '', ''].join('\r\n');
const whole = head('HTTP/1.1 200 OK', `Content-Length: ${block.length}`);

async function portOf(server: Pick<Server, 'listen' | 'address' | 'close'>): Promise<number> {
  closing.push(() => server.close());
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A server that does with each request what it is told, and counts its connections. */
async function serving(answer: (line: Socket, request: number) => void) {
  const lines: Socket[] = [];
  let requests = 0;
  const server = createServer(line => {
    lines.push(line);
    closing.push(() => line.destroy());
    line.on('error', () => undefined).on('data', () => answer(line, ++requests));
  });
  const source = httpBlockSource({
    url: `http://127.0.0.1:${await portOf(server)}`,
    authorization: () => 'Bearer x',
    takesPrivateAddresses: true,
  });
  return { lines, fetch: (limitBytes = LIMIT_BYTES) => source.fetch('cid', limitBytes, never) };
}

const send = (line: Socket) => {
  line.write(whole);
  line.write(block);
};

test('blocks come one after the other over one connection, also after one that is not there', async () => {
  const missing = head('HTTP/1.1 404 Not Found', 'Content-Length: 5') + 'none\n';
  const { lines, fetch } = await serving((line, request) =>
    request === 2 ? line.write(missing) : send(line),
  );
  expect(await fetch()).toEqual(block);
  await expect(fetch()).rejects.toBeInstanceOf(BlockMissing);
  expect(await fetch()).toEqual(block);
  expect(lines).toHaveLength(1);
});

test('a block that comes byte by byte, its head too, is the same', async () => {
  const few = block.subarray(0, 50);
  const text = head('HTTP/1.1 200 OK', 'content-length:50', 'X-Other: content-length: 7');
  const { fetch } = await serving(line => {
    const bytes = Buffer.concat([Buffer.from(text), few]);
    line.setNoDelay(true);
    const next = (at: number) =>
      at < bytes.length && line.write(bytes.subarray(at, at + 1), () => next(at + 1));
    next(0);
  });
  expect(await fetch()).toEqual(few);
});

test('a connection that was closed while it was idle is replaced', async () => {
  const { lines, fetch } = await serving((line, request) => {
    if (request === 2) line.destroy();
    else send(line);
  });
  await fetch();
  expect(await fetch()).toEqual(block);
  expect(lines).toHaveLength(2);
});

test.each([
  ['of no size', head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'), 'how large'],
  ['of two sizes', head('HTTP/1.1 200 OK', 'Content-Length: 2, 3'), 'how large'],
  ['that is larger than it may be', head('HTTP/1.1 200 OK', 'Content-Length: 1001'), 'more than 1000 bytes'],
  ['with more than it announced', `${head('HTTP/1.1 200 OK', 'Content-Length: 2')}abc`, 'more came'],
  ['without an end of its head', `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(70_000)}`, 'head of the answer'],
  ['of another protocol', head('SSH-2.0-OpenSSH'), 'none of HTTP/1.1'],
])('an answer %s is refused, and its connection closed', async (_, answer, reason) => {
  const { lines, fetch } = await serving(line => line.write(answer));
  await expect(fetch(1_000)).rejects.toThrow(reason);
  await expect(fetch(1_000)).rejects.toThrow(reason);
  expect(lines).toHaveLength(2);
});

test('an answer that ends early is an error', async () => {
  const { fetch } = await serving(line => line.end(`${whole}only this`));
  await expect(fetch()).rejects.toThrow('ended the connection');
});

test('a stop from outside ends the request and its connection', async () => {
  const stop = new AbortController();
  let close = (): void => undefined;
  const closed = new Promise<void>(resolve => (close = resolve));
  const server = createServer(line => {
    line.on('error', () => undefined).on('close', () => close());
    line.on('data', () => stop.abort(new Error('no longer wanted')));
  });
  const url = `http://127.0.0.1:${await portOf(server)}`;
  const source = httpBlockSource({ url, authorization: () => '', takesPrivateAddresses: true });
  await expect(source.fetch('cid', LIMIT_BYTES, stop.signal)).rejects.toThrow('no longer wanted');
  await closed;
});

test('a block comes over TLS from a server whose certificate is trusted, and from no other', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'astro-blocks-'));
  const known = getCACertificates('default');
  closing.push(() => setDefaultCACertificates(known));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  await promisify(execFile)('openssl', [...words, ...names, '-keyout', keyFile, '-out', certFile]);
  const [key, cert] = [await readFile(keyFile), await readFile(certFile, 'utf8')];
  await rm(folder, { recursive: true });
  const server = createSecure({ key, cert }, (_request, response) => response.end(block));
  closing.push(() => server.closeAllConnections());
  const port = await portOf(server);
  const source = httpBlockSource({
    url: `https://127.0.0.1:${port}`,
    authorization: () => '',
    takesPrivateAddresses: true,
  });
  await expect(source.fetch('cid', LIMIT_BYTES, never)).rejects.toThrow(/self-signed/);
  setDefaultCACertificates([...known, cert]);
  expect(await source.fetch('cid', LIMIT_BYTES, never)).toEqual(block);
  expect(await source.fetch('cid', LIMIT_BYTES, never)).toEqual(block);
});
