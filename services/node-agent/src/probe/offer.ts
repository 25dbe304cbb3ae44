import type { Device, Inventory, MaintenanceWindow } from '@astro/messages/registry';
import type { OfferedRuntime } from '@astro/messages/runtimes';
import { plainDevice, plainInventory, plainOffer } from '@astro/messages/unconstrained';
import type { z } from 'zod';
import type { EnrolmentOptions } from '../enrol/enrolment.js';
import { nodeAgentConfig, type NodeAgentConfig } from '../node-agent.config.js';
import type { Accelerator } from './accelerator.js';
import type { Machine } from './machine.js';
import { closedWindows, offerHoursIn } from './offer-hours.js';

/** What is offered of processors, memory and disk unless the operator says otherwise: the host needs the rest. */
const OFFERED_PERCENT = 80;
/** As many as the registry takes. */
const WINDOWS_MAX = 32;

type Share = Pick<
  NodeAgentConfig,
  'OFFER_CPU_MILLIS' | 'OFFER_MEMORY_MIB' | 'OFFER_DISK_MIB' | 'OFFER_DEVICES' | 'SHARE_DEVICES'
>;

/** What the agent finds out beside the hardware. */
export type Found = {
  readonly diskFreeMib: number;
  readonly runtimes: readonly OfferedRuntime[];
  /** Whom keys of encrypted jobs are encrypted to. */
  readonly encryptionRecipient: string;
};

const offered = (all: number): number => Math.max(1, Math.floor((all * OFFERED_PERCENT) / 100));

/** The agent's configuration, in which no more may be offered than this machine has. */
export function configOn({ processor, memoryMib }: Machine): z.ZodType<NodeAgentConfig> {
  const cpuMillis = processor.cores * 1000;
  const { OFFER_CPU_MILLIS, OFFER_MEMORY_MIB } = nodeAgentConfig.shape;
  const all = 'which is all that this machine has';
  return nodeAgentConfig
    .extend({
      OFFER_CPU_MILLIS: OFFER_CPU_MILLIS.max(cpuMillis, `must be at most ${cpuMillis}, ${all}`).default(
        offered(cpuMillis),
      ),
      OFFER_MEMORY_MIB: OFFER_MEMORY_MIB.max(memoryMib, `must be at most ${memoryMib}, ${all}`).default(
        offered(memoryMib),
      ),
    })
    .superRefine(({ OFFER_HOURS, OFFER_TIME_ZONE }, context) => {
      const message = OFFER_HOURS === undefined ? undefined : problemIn(OFFER_HOURS, OFFER_TIME_ZONE);
      if (message !== undefined) context.addIssue({ code: 'custom', path: ['OFFER_HOURS'], message });
    });
}

function problemIn(hours: string, timeZone: string): string | undefined {
  try {
    offerHoursIn(hours, timeZone);
    return undefined;
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

/** Of the devices in the inventory, by which an engine hands them out; the processor, which comes first, has none. */
export const deviceIdsOf = ({ accelerators }: Machine): readonly (string | undefined)[] => [
  undefined,
  ...accelerators.map(({ id }) => id),
];

/** What the node puts on the market: the share that its operator offers of the hardware that is really there. */
export const inventoryOf = (
  machine: Machine,
  share: Share,
  found: Omit<Found, 'encryptionRecipient'>,
): Inventory => ({
  devices: [
    {
      kind: 'cpu',
      vendor: machine.processor.vendor,
      model: machine.processor.model,
      memoryMib: share.OFFER_MEMORY_MIB,
      ...plainDevice,
    },
    ...machine.accelerators
      .filter(({ id }) => isOffered(share.OFFER_DEVICES, id))
      .map(accelerator => deviceOf(accelerator, share)),
  ],
  cpuMillis: share.OFFER_CPU_MILLIS,
  memoryMib: share.OFFER_MEMORY_MIB,
  diskMib: Math.min(share.OFFER_DISK_MIB ?? Infinity, offered(found.diskFreeMib)),
  operatingSystem: machine.operatingSystem,
  architecture: machine.architecture,
  runtimes: found.runtimes,
  ...plainInventory,
});

/** Devices that are to be offered and are not here: they may come back, so that the others are offered meanwhile. */
export const missingDevices = ({ accelerators }: Machine, { OFFER_DEVICES }: Share): readonly string[] =>
  Array.isArray(OFFER_DEVICES)
    ? OFFER_DEVICES.filter(id => !accelerators.some(accelerator => accelerator.id === id)).map(
        id => `OFFER_DEVICES names ${id}, which is not here`,
      )
    : [];

const isOffered = (devices: Share['OFFER_DEVICES'], id: string): boolean =>
  Array.isArray(devices) ? devices.includes(id) : devices === 'all';

/** A device with slices is handed out by them, and so by no thousandths beside. */
const deviceOf = ({ id: _, memoryMib, ...accelerator }: Accelerator, share: Share): Device => ({
  ...plainDevice,
  ...accelerator,
  slices: [...accelerator.slices],
  memoryMib: memoryMib ?? share.OFFER_MEMORY_MIB,
  isShareable: share.SHARE_DEVICES && accelerator.slices.length === 0,
});

/** All that the node says of itself when it enrols, as its configuration and the machine are now. */
export function offerOf(
  machine: Machine,
  config: NodeAgentConfig,
  found: Found,
  now: Date,
  /** In which the node takes nothing for another reason than its hours. */
  withheld: readonly MaintenanceWindow[] = [],
): EnrolmentOptions['offer'] {
  const { OFFER_HOURS, OFFER_TIME_ZONE, INTERRUPTIBLE_PRICE_PER_SECOND_ATTO: interruptible } = config;
  const { PRICE_PER_GIB_TRANSFERRED_ATTO: perGib } = config;
  return {
    region: config.REGION,
    inventory: inventoryOf(machine, config, found),
    encryptionRecipient: found.encryptionRecipient,
    pricePerSecondAtto: config.PRICE_PER_SECOND_ATTO,
    maintenance: [
      ...withheld,
      ...(OFFER_HOURS
        ? closedWindows(offerHoursIn(OFFER_HOURS, OFFER_TIME_ZONE), now)
        : plainOffer.maintenance),
    ].slice(0, WINDOWS_MAX),
    ...(interruptible && { interruptiblePricePerSecondAtto: interruptible }),
    ...(perGib && { pricePerGibTransferredAtto: perGib }),
    ...(config.CONTENT_PUBLIC_URL && { contentUrl: config.CONTENT_PUBLIC_URL }),
    ...(config.ATTESTATION && { attestationClaimed: config.ATTESTATION }),
    ...(config.VALIDATES && { validates: true }),
  };
}
