import { isId } from '@astro/event-sourcing/ids';
import { encryptionLimits } from '@astro/messages/encryption';
import type { Requirements } from '@astro/messages/scheduling';
import type { StoredJson } from '@astro/postgres/stored-json';
import { z } from 'zod';
import {
  attestationKind,
  country,
  deviceKind,
  isWithoutRepeats,
  positiveAtto,
  printable,
  region,
} from '../http/fields.js';

const placesMax = 64;
const places = (place: z.ZodString, description: string) =>
  z.array(place).max(placesMax).refine(isWithoutRepeats, 'must not repeat').default([]).meta({ description });

/** What each task needs of the one node that it runs on. */
export const requirements = z
  .strictObject({
    deviceKind: deviceKind.meta({ example: 'cpu' }),
    deviceVendor: printable.max(120).default('').meta({ description: 'Empty: any vendor' }),
    deviceModel: printable.max(120).default('').meta({ description: 'Empty: any model' }),
    deviceMemoryMib: z
      .int()
      .min(0)
      .max(16_777_216)
      .default(0)
      .meta({ description: 'Of each device or slice' }),
    deviceCount: z
      .int()
      .min(1)
      .max(64)
      .default(1)
      .meta({ description: 'A CPU is not counted: it is held by cpuMillis' }),
    deviceShareThousandths: z
      .int()
      .min(1)
      .max(1_000)
      .default(1_000)
      .meta({ description: 'Of each device; 1000 is the whole of it' }),
    sliceProfile: printable
      .max(120)
      .default('')
      .meta({ description: 'Fixed slices of this profile instead of devices, for example 3g.40gb' }),
    isInterconnected: z.boolean().default(false).meta({ description: 'All devices behind one fast link' }),
    cpuMillis: z.int().min(100).max(1_024_000).meta({ example: 500 }),
    memoryMib: z.int().min(1).max(16_777_216).meta({ example: 128 }),
    diskMib: z.int().min(0).max(4_294_967_295).default(0),
    bandwidthMbps: z.int().min(0).max(1_600_000).default(0),
    regions: places(region, 'Empty: any region'),
    regionsDenied: places(region, 'Never in these'),
    countries: places(country, 'Empty: any country'),
    countriesDenied: places(country, 'Never in these'),
    minReliabilityThousandths: z
      .int()
      .min(0)
      .max(1_000)
      .default(0)
      .meta({ description: 'Share of its leases that the node has kept, as this marketplace has seen' }),
    attestations: z
      .array(attestationKind)
      .max(attestationKind.options.length)
      .refine(isWithoutRepeats, 'must not repeat')
      .default([])
      .meta({
        description:
          'Evidence of one of these kinds must have been accepted of the node. Empty: none is needed',
      }),
    nodes: z
      .array(z.string().refine(text => isId('node', text), 'must be the id of a node'))
      .min(1)
      .max(encryptionLimits.nodes)
      .refine(isWithoutRepeats, 'must not repeat')
      .optional()
      .meta({ description: 'Only these. Absent: any' }),
    maxPricePerSecondAtto: positiveAtto.meta({ description: 'For each second of a lease' }),
    maxPricePerGibTransferredAtto: positiveAtto.optional().meta({
      description:
        'For each GiB of program, inputs and outputs that a node moves. Absent: only nodes that ask nothing for it',
    }),
  })
  .refine(({ deviceKind, deviceCount }) => deviceKind !== 'cpu' || deviceCount === 1, {
    path: ['deviceCount'],
    message: 'must be 1 for a cpu, which is held by cpuMillis',
  })
  .refine(
    ({ deviceKind, deviceShareThousandths }) => deviceKind !== 'cpu' || deviceShareThousandths === 1_000,
    {
      path: ['deviceShareThousandths'],
      message: 'must be 1000 for a cpu, which is held by cpuMillis',
    },
  )
  .refine(({ deviceKind, sliceProfile }) => deviceKind !== 'cpu' || sliceProfile === '', {
    path: ['sliceProfile'],
    message: 'must be empty for a cpu',
  })
  .refine(
    ({ deviceShareThousandths, sliceProfile }) => sliceProfile === '' || deviceShareThousandths === 1_000,
    {
      path: ['deviceShareThousandths'],
      message: 'must be 1000 for slices, which are held whole',
    },
  )
  .meta({ id: 'Requirements' });

/** The same as the pool has it, with amounts that can be counted with. */
export function toRequirements({
  maxPricePerSecondAtto,
  maxPricePerGibTransferredAtto,
  nodes,
  ...others
}: z.output<typeof requirements>): Requirements {
  return {
    ...others,
    ...(nodes && { nodes: { nodeIds: nodes } }),
    maxPricePerSecondAtto: BigInt(maxPricePerSecondAtto),
    ...(maxPricePerGibTransferredAtto !== undefined && {
      maxPricePerGibTransferredAtto: BigInt(maxPricePerGibTransferredAtto),
    }),
  };
}

/** As they were recorded. */
export const toRequirementsResource = ({
  nodes,
  deviceKind: kind,
  attestations,
  ...others
}: StoredJson<Requirements>): z.output<typeof requirements> => ({
  ...others,
  deviceKind: deviceKind.parse(kind),
  attestations: attestations.map(accepted => attestationKind.parse(accepted)),
  ...(nodes && { nodes: [...nodes.nodeIds] }),
});
