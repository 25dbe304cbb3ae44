import { z } from 'zod';
import { atto } from '../http/fields.js';

const NOTICE_MAX_SECONDS = 30 * 24 * 3_600;

export const drainRequest = z
  .strictObject({
    noticeSeconds: z.int().min(0).max(NOTICE_MAX_SECONDS).optional().meta({
      description: 'What still runs then is taken back, and not paid. Absent: leases end in their own time',
      example: 3_600,
    }),
  })
  .nullish();

export const drain = z
  .object({ from: z.iso.datetime(), noticeUntil: z.iso.datetime().optional() })
  .meta({ id: 'Drain', description: 'The node is given no more work since then' });

/** Bounds are the registry's to know; here is only what travels. */
const figure = z.int().min(0).max(4_294_967_295);

export const measurement = z
  .strictObject({
    matrixMflops: figure.meta({
      description:
        'Product of matrices of 32-bit floats on all cores that are offered, 10^6 operations a second',
      example: 4_000,
    }),
    memoryMibPerSecond: figure.meta({ description: 'Triad over arrays that no cache holds', example: 9_000 }),
    diskWriteMibPerSecond: figure.meta({ description: 'With what the kernel holds back written out' }),
    diskReadMibPerSecond: figure,
    networkKibPerSecond: figure.meta({ description: 'From the gateway; 0: not measured' }),
    peerNetworkKibPerSecond: figure.optional().meta({
      description:
        'From other nodes, the median of those whose content was fetched for work; absent: none was',
    }),
    cores: z.int().min(1).max(1_024).meta({ description: 'Measured together', example: 4 }),
    spreadThousandths: figure.meta({
      description: 'The largest difference between two runs of one figure, in thousandths of its median',
    }),
  })
  .meta({ id: 'Measurement' });
export type Measurement = z.output<typeof measurement>;

export const performance = z
  .object({
    ...measurement.shape,
    measuredAt: z.iso.datetime(),
    milliUnits: z.int().meta({
      description:
        'Compute units, in thousandths: 1000 is the reference machine of libs/messages/src/compute-unit.ts',
      example: 1_000,
    }),
    lastChange: z
      .object({
        at: z.iso.datetime(),
        figures: z.array(z.object({ figure: z.string(), usual: figure, measured: figure })),
      })
      .optional()
      .meta({ description: 'The last time that a figure was suddenly beyond half or double of the usual' }),
  })
  .meta({ id: 'Performance' });

export const nodeLease = z
  .object({
    id: z.string(),
    status: z.enum(['granted', 'started']),
    pricePerSecondAtto: atto,
    grantedAt: z.iso.datetime(),
    startedAt: z.iso.datetime().optional(),
    deadline: z.iso.datetime(),
  })
  .meta({ id: 'NodeLease', description: 'Whose work it is, its operator does not learn' });
export const nodeLeases = z.object({ items: z.array(nodeLease) }).meta({ id: 'NodeLeases' });
