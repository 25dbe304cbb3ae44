import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { runBenchmark, type Benchmark } from './benchmark.js';
import { preparedWork } from './compute-work.js';
import { medianOf } from './figure.js';
import { MATRIX_SIZE, matrixModule } from './matrix-module.js';
import { measureNetwork } from './network.js';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(120_000);

test('a figure is the median of its runs, with how far they were apart', () => {
  expect(medianOf([100, 130, 90])).toEqual({ value: 100, runs: 3, spreadThousandths: 400 });
  expect(medianOf([0.2])).toEqual({ value: 1, runs: 1, spreadThousandths: 0 });
});

test('the product of matrices is the product', () => {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(matrixModule), {});
  const all = new Float32Array((exports['memory'] as { buffer: ArrayBuffer }).buffer);
  const size = MATRIX_SIZE;
  const [left, right, product] = [0, 1, 2].map(place =>
    all.subarray(place * size ** 2, (place + 1) * size ** 2),
  );
  for (let index = 0; index < size ** 2; index++) [left![index], right![index]] = [index % 5, index % 3];
  (exports['multiply'] as () => void)();
  const expected = Float32Array.from({ length: size ** 2 }, (_, index) => {
    const [row, column] = [Math.floor(index / size), index % size];
    let sum = 0;
    for (let inner = 0; inner < size; inner++)
      sum += left![row * size + inner]! * right![inner * size + column]!;
    return sum;
  });
  expect(product).toEqual(expected);
});

test('work is counted as what it is', () => {
  expect(preparedWork('matrix')()).toBe(2 * MATRIX_SIZE ** 3);
  expect(preparedWork('memory')()).toBe(3 * 8 * 2 * 1024 * 1024);
});

describe('a benchmark of this machine', () => {
  let folder: string;
  let measured: Benchmark;
  const gateway = createServer((_request, response) => response.end('x'.repeat(200_000)));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'astro-benchmark-'));
    await new Promise<void>(resolve => gateway.listen(0, '127.0.0.1', resolve));
    const gatewayUrl = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
    measured = await runBenchmark({ cores: 1, folder, gatewayUrl });
  });
  afterAll(async () => {
    gateway.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('measures every figure in several runs', () => {
    const { figures, report, milliUnits } = measured;
    expect(Object.keys(figures)).toHaveLength(5);
    for (const { value, runs } of Object.values(figures))
      expect([value > 0, runs >= 3]).toEqual([true, true]);
    expect(report).toMatchObject({ cores: 1, matrixMflops: figures.matrixMflops?.value });
    expect(milliUnits).toBeGreaterThan(0);
  });

  test('leaves nothing on the disk', async () => {
    expect(await readdir(folder)).toEqual([]);
  });
});

test('a gateway that refuses is no figure', async () => {
  const broken = createServer((_request, response) => response.writeHead(503).end());
  await new Promise<void>(resolve => broken.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`;
    await expect(measureNetwork(url)).rejects.toThrow('the gateway answered 503');
  } finally {
    broken.close();
  }
});
