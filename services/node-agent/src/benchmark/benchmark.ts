import { milliUnitsOf, type Figure } from '@astro/messages/compute-unit';
import type { Measurement } from '@astro/messages/registry';
import type { NodeAgentConfig } from '../node-agent.config.js';
import { measureMatrix, measureMemory } from './compute.js';
import { measureDisk } from './disk.js';
import type { Measured } from './figure.js';
import { measureNetwork } from './network.js';

export type BenchmarkPlan = {
  /** As many as are offered. */
  readonly cores: number;
  /** A folder on the disk that tasks use. */
  readonly folder: string;
  readonly gatewayUrl: string;
};

/** What the node says of itself; when, the gateway says. */
export type Report = Omit<Measurement, 'measuredAt'>;

export type Benchmark = {
  readonly figures: Readonly<Partial<Record<Figure, Measured>>>;
  readonly report: Report;
  readonly milliUnits: number;
  /** What was not measured, or not as it should be, and why. */
  readonly notes: readonly string[];
};

/** All figures, one after the other so that none disturbs another: about six seconds. */
export async function runBenchmark({ cores, folder, gatewayUrl }: BenchmarkPlan): Promise<Benchmark> {
  const matrix = await measureMatrix(cores);
  const memory = await measureMemory(cores);
  const disk = await measureDisk(folder);
  const network = await measureNetwork(gatewayUrl).catch((error: Error) => error);
  const measured = {
    matrixMflops: matrix,
    memoryMibPerSecond: memory,
    diskWriteMibPerSecond: disk.write,
    diskReadMibPerSecond: disk.read,
  };
  const figures = network instanceof Error ? measured : { ...measured, networkKibPerSecond: network };
  const report = {
    matrixMflops: matrix.value,
    memoryMibPerSecond: memory.value,
    diskWriteMibPerSecond: disk.write.value,
    diskReadMibPerSecond: disk.read.value,
    networkKibPerSecond: network instanceof Error ? 0 : network.value,
    cores,
    spreadThousandths: Math.max(...Object.values(figures).map(({ spreadThousandths }) => spreadThousandths)),
  };
  const notes = [
    ...(disk.isReadCached ? ['this file system cannot be read past the cache: reads are of memory'] : []),
    ...(network instanceof Error ? [`the network was not measured: ${network.message}`] : []),
  ];
  return { figures, report, milliUnits: milliUnitsOf(report), notes };
}

export const benchmarkPlanOf = (
  config: Pick<NodeAgentConfig, 'OFFER_CPU_MILLIS' | 'AGENT_STATE_DIR' | 'GATEWAY_URL'>,
): BenchmarkPlan => ({
  cores: Math.max(1, Math.floor(config.OFFER_CPU_MILLIS / 1_000)),
  folder: config.AGENT_STATE_DIR,
  gatewayUrl: config.GATEWAY_URL,
});
