import type { DeviceOffer, NodeOffer } from './offer.js';
import type { DeviceNeeds, GangRequest, PlaceRule, Requirements, TaskRequest } from './request.js';
import { unitsMax, wholeShare } from './shape.js';

/** What is wrong with a field, for whoever filled it in: `devices[0].count` `is -1, which is not from 1 to 64`. */
export type FieldProblem = { readonly field: string; readonly rule: string };

/** What the marketplace knows; a name that is not in it is refused. */
export type Catalogue = { readonly models: ReadonlySet<string>; readonly runtimes: ReadonlySet<string> };

export const limits = {
  /** Ten thousand cores: beyond any machine, and within the columns' 31 bits. */
  cpuMillis: 10_000_000,
  /** A pebibyte. */
  memoryMib: 2 ** 30,
  diskMib: 2 ** 30,
  bandwidthMbps: 10_000_000,
  devices: unitsMax,
  watts: 100_000,
  performance: 1_000,
  /** The largest amount of a 128-bit ledger. */
  priceAtto: 2n ** 128n - 1n,
  /** A thousand years. */
  durationMs: 31_536_000_000_000,
  timeMs: 8_640_000_000_000_000,
  priority: 1_000_000,
  names: 1_000,
  nameLength: 256,
  gangMembers: 10_000,
} as const;

/** Everything that is wrong with an offer before it may enter the engine; empty when nothing is. */
export function problemsOfOffer(offer: NodeOffer, catalogue: Catalogue): readonly FieldProblem[] {
  const review = new Review();
  review.name('nodeId', offer.nodeId);
  review.name('operatorId', offer.operatorId);
  review.name('region', offer.region);
  review.name('country', offer.country);
  review.name('attestation', offer.attestation);
  review.names('runtimes', offer.runtimes, catalogue.runtimes);
  review.names('datasets', offer.datasets);
  review.whole('cpuMillis', offer.cpuMillis, 0, limits.cpuMillis);
  review.whole('memoryMib', offer.memoryMib, 0, limits.memoryMib);
  review.whole('diskMib', offer.diskMib, 0, limits.diskMib);
  review.whole('bandwidthMbps', offer.bandwidthMbps, 0, limits.bandwidthMbps);
  review.number('performance', offer.performance, 0.001, limits.performance);
  review.number('reliability', offer.reliability, 0, 1);
  review.price('pricePerDeviceSecondAtto', offer.pricePerDeviceSecondAtto);
  review.price('transferPriceAtto', offer.transferPriceAtto ?? 0n);
  review.whole('cpuPower.socketMillis', offer.cpuPower.socketMillis, 1, limits.cpuMillis);
  review.number('cpuPower.idleWatts', offer.cpuPower.idleWatts, 0, limits.watts);
  review.number('cpuPower.fullWatts', offer.cpuPower.fullWatts, 0, limits.watts);
  const units = offer.devices.reduce((sum, device) => sum + Math.max(1, device.slices.length), 0);
  review.whole('devices', units, 0, limits.devices);
  for (const [index, device] of offer.devices.entries()) {
    reviewDevice(review, `devices[${index}]`, device, catalogue);
  }
  for (const [index, { fromMs, untilMs }] of offer.maintenance.entries()) {
    review.whole(`maintenance[${index}].fromMs`, fromMs, 0, limits.timeMs);
    review.whole(`maintenance[${index}].untilMs`, untilMs, fromMs, limits.timeMs);
  }
  return review.problems;
}

/** Everything that is wrong with a request; empty when nothing is. */
export function problemsOfRequest(request: TaskRequest, catalogue: Catalogue): readonly FieldProblem[] {
  const review = new Review();
  reviewRequest(review, '', request, catalogue);
  return review.problems;
}

export function problemsOfGang(gang: GangRequest, catalogue: Catalogue): readonly FieldProblem[] {
  const review = new Review();
  review.name('gangId', gang.gangId);
  review.whole('members', gang.members.length, 1, limits.gangMembers);
  for (const [index, member] of gang.members.slice(0, limits.gangMembers).entries()) {
    reviewRequest(review, `members[${index}].`, member, catalogue);
  }
  return review.problems;
}

function reviewDevice(review: Review, at: string, device: DeviceOffer, { models }: Catalogue): void {
  review.name(`${at}.vendor`, device.vendor);
  review.oneOf(`${at}.model`, device.model, models);
  review.whole(`${at}.memoryMib`, device.memoryMib, 0, limits.memoryMib);
  review.number(`${at}.idleWatts`, device.idleWatts, 0, limits.watts);
  review.number(`${at}.fullWatts`, device.fullWatts, 0, limits.watts);
  for (const [index, slice] of device.slices.entries()) {
    review.name(`${at}.slices[${index}].profile`, slice.profile);
    review.whole(`${at}.slices[${index}].memoryMib`, slice.memoryMib, 0, device.memoryMib);
  }
}

function reviewRequest(review: Review, at: string, request: TaskRequest, catalogue: Catalogue): void {
  const { requirements: needs, decidedAtMs, deadlineMs } = request;
  review.name(`${at}taskId`, request.taskId);
  review.whole(`${at}decidedAtMs`, decidedAtMs, 0, limits.timeMs);
  if (deadlineMs !== undefined) review.whole(`${at}deadlineMs`, deadlineMs, decidedAtMs, limits.timeMs);
  review.whole(`${at}priority`, request.priority, 0, limits.priority);
  review.names(`${at}operatorsExcluded`, [...request.operatorsExcluded]);
  review.names(`${at}nodesExcluded`, [...request.nodesExcluded]);
  review.names(`${at}siblingNodes`, request.siblingNodes);
  reviewNeeds(review, `${at}requirements.`, needs, catalogue);
}

function reviewNeeds(review: Review, at: string, needs: Requirements, catalogue: Catalogue): void {
  review.whole(`${at}cpuMillis`, needs.cpuMillis, 0, limits.cpuMillis);
  review.whole(`${at}memoryMib`, needs.memoryMib, 0, limits.memoryMib);
  review.whole(`${at}diskMib`, needs.diskMib, 0, limits.diskMib);
  review.whole(`${at}bandwidthMbps`, needs.bandwidthMbps, 0, limits.bandwidthMbps);
  review.number(`${at}reliabilityMin`, needs.reliabilityMin, 0, 1);
  review.number(`${at}expectedDurationMs`, needs.expectedDurationMs, 0, limits.durationMs);
  for (const cap of ['priceCapAtto', 'transferPriceCapAtto'] as const)
    if (needs[cap] !== undefined) review.price(`${at}${cap}`, needs[cap]);
  if (needs.runtime !== '') review.oneOf(`${at}runtime`, needs.runtime, catalogue.runtimes);
  review.names(`${at}attestations`, needs.attestations);
  review.names(`${at}nodes`, needs.nodes ?? []);
  review.names(`${at}datasets`, needs.datasets);
  reviewPlaces(review, `${at}regions`, needs.regions);
  reviewPlaces(review, `${at}countries`, needs.countries);
  if (needs.devices) reviewDeviceNeeds(review, `${at}devices`, needs.devices, catalogue);
}

function reviewPlaces(review: Review, at: string, { allowed, denied }: PlaceRule): void {
  review.names(`${at}.allowed`, allowed);
  review.names(`${at}.denied`, denied);
}

function reviewDeviceNeeds(review: Review, at: string, needs: DeviceNeeds, { models }: Catalogue): void {
  const isCpu = needs.kind === 'cpu';
  review.whole(`${at}.count`, needs.count, isCpu ? 0 : 1, isCpu ? 0 : limits.devices);
  const isShared = needs.profile === '';
  review.whole(`${at}.shareThousandths`, needs.shareThousandths, isShared ? 1 : wholeShare, wholeShare);
  review.whole(`${at}.memoryMib`, needs.memoryMib, 0, limits.memoryMib);
  review.names(`${at}.models`, needs.models, models);
}

/** Collects problems; each check names the field, the value and what it should have been. */
class Review {
  readonly problems: FieldProblem[] = [];

  whole(field: string, value: number, min: number, max: number): void {
    if (Number.isInteger(value) && value >= min && value <= max) return;
    this.refuse(field, `is ${value}, which is not a whole number from ${min} to ${max}`);
  }

  number(field: string, value: number, min: number, max: number): void {
    if (Number.isFinite(value) && value >= min && value <= max) return;
    this.refuse(field, `is ${value}, which is not a number from ${min} to ${max}`);
  }

  price(field: string, value: bigint): void {
    if (value >= 0n && value <= limits.priceAtto) return;
    this.refuse(field, `is ${value}, which is not from 0 to ${limits.priceAtto}`);
  }

  name(field: string, value: string): void {
    if (value.length >= 1 && value.length <= limits.nameLength) return;
    this.refuse(field, `has ${value.length} characters, which is not from 1 to ${limits.nameLength}`);
  }

  oneOf(field: string, value: string, known: ReadonlySet<string>): void {
    if (!known.has(value)) this.refuse(field, `is "${value.slice(0, 64)}", which is not known`);
  }

  names(field: string, values: readonly string[], known?: ReadonlySet<string>): void {
    if (values.length > limits.names) {
      this.refuse(field, `has ${values.length} entries, over ${limits.names}`);
      return;
    }
    for (const [index, value] of values.entries()) {
      this.name(`${field}[${index}]`, value);
      if (known) this.oneOf(`${field}[${index}]`, value, known);
    }
  }

  private refuse(field: string, rule: string): void {
    this.problems.push({ field, rule });
  }
}
