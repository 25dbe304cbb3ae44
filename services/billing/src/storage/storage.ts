import { accept, reject, type Decider, type Decision } from '@astro/event-sourcing/decider';
import { structured } from '@astro/event-sourcing/snapshot-format';
import type {
  ContentStored,
  KeptContent,
  MeterStorage,
  ReleaseContent,
  StorageCommand,
  StorageEvent,
  StoreContent,
} from '@astro/messages/billing';

const ATTO = 10n ** 18n;
const BYTE_MS_PER_GIB_HOUR = 2n ** 30n * 3_600_000n;

export const storageLimits = {
  /** Of one tenant: its storage is one aggregate, whose state names each of them. */
  contents: 65_536,
  sizeBytes: 2 ** 40,
} as const;

export type StorageRejection = 'StorageIsOfAnotherTenant' | 'ContentIsInvalid' | 'TooManyContents';
type StorageDecision = Decision<StorageEvent, StorageRejection>;

/** Belongs to `evolve`, which changes it in place. */
export type Storage = {
  tenantId?: string;
  /** Bytes of each content that the tenant holds. */
  readonly contents: Map<string, number>;
  /** Of all of them. */
  bytes: bigint;
  /** What was kept since the last time it was metered, up to `asOfMs`: bytes times milliseconds. */
  byteMs: bigint;
  asOfMs: number;
  /** When it was last metered, or else when the first content came. */
  meteredMs: number;
};

/**
 * What the platform keeps for one tenant, and for how long. Times are those that the edge gave to what it recorded;
 * none lies before another that was recorded earlier, so that nothing is counted twice or taken back.
 */
export const storage: Decider<Storage, StorageCommand, StorageEvent, StorageRejection> = {
  get initialState() {
    return { contents: new Map<string, number>(), bytes: 0n, byteMs: 0n, asOfMs: 0, meteredMs: 0 };
  },

  decide({ type, data }, storage) {
    if (storage.tenantId !== undefined && storage.tenantId !== data.tenantId)
      return reject('StorageIsOfAnotherTenant', `tenantId: ${data.tenantId}`);
    switch (type) {
      case 'StoreContent':
        return store(data, storage);
      case 'ReleaseContent':
        return release(data, storage);
      case 'MeterStorage':
        return meter(data, storage);
    }
  },

  evolve(storage, { type, data }) {
    storage.tenantId = data.tenantId;
    switch (type) {
      case 'ContentStored':
        passed(storage, data.storedAt);
        hold(storage, data);
        return storage;
      case 'ContentReleased':
        passed(storage, data.releasedAt);
        storage.contents.delete(data.cid);
        storage.bytes -= BigInt(data.sizeBytes);
        return storage;
      case 'StorageMetered':
        storage.meteredMs = storage.asOfMs = data.through.getTime();
        storage.byteMs = 0n;
        return storage;
    }
  },

  snapshot: structured(1),
};

function store({ tenantId, contents, at }: StoreContent, storage: Storage): StorageDecision {
  const flaw = contents.findIndex(({ sizeBytes }) => !isSize(sizeBytes));
  if (flaw >= 0)
    return reject('ContentIsInvalid', `contents[${flaw}].sizeBytes: 0 to ${storageLimits.sizeBytes}`);
  const fresh = new Map<string, KeptContent>();
  for (const content of contents) if (!storage.contents.has(content.cid)) fresh.set(content.cid, content);
  if (fresh.size === 0) return accept();
  if (storage.contents.size + fresh.size > storageLimits.contents)
    return reject('TooManyContents', `contents: at most ${storageLimits.contents} of one tenant`);
  const storedAt = notBefore(storage, at);
  return accept({ type: 'ContentStored', data: { tenantId, contents: [...fresh.values()], storedAt } });
}

/** What the tenant does not hold it need not give back. */
function release({ tenantId, cid, at }: ReleaseContent, storage: Storage): StorageDecision {
  const sizeBytes = storage.contents.get(cid);
  if (sizeBytes === undefined) return accept();
  const releasedAt = notBefore(storage, at);
  return accept({ type: 'ContentReleased', data: { tenantId, cid, sizeBytes, releasedAt } });
}

/** All that was kept since the last time, however many periods have passed: what was missed is caught up. */
function meter({ tenantId, through }: MeterStorage, storage: Storage): StorageDecision {
  if (storage.tenantId === undefined || through.getTime() <= storage.meteredMs) return accept();
  const until = notBefore(storage, through);
  const gibHoursAtto = gibHoursAttoOf(storage.byteMs + keptSince(storage, until));
  const from = new Date(storage.meteredMs);
  return accept({ type: 'StorageMetered', data: { tenantId, from, through: until, gibHoursAtto } });
}

/** In 10^-18 GiB-hours, rounded down. */
const gibHoursAttoOf = (byteMs: bigint): bigint => (byteMs * ATTO) / BYTE_MS_PER_GIB_HOUR;

function hold(storage: Storage, { contents, storedAt }: ContentStored): void {
  if (storage.meteredMs === 0) storage.meteredMs = storedAt.getTime();
  for (const { cid, sizeBytes } of contents) {
    storage.contents.set(cid, sizeBytes);
    storage.bytes += BigInt(sizeBytes);
  }
}

function passed(storage: Storage, at: Date): void {
  storage.byteMs += keptSince(storage, at);
  storage.asOfMs = at.getTime();
}

const keptSince = ({ bytes, asOfMs }: Storage, at: Date): bigint => bytes * BigInt(at.getTime() - asOfMs);

const notBefore = ({ asOfMs }: Storage, at: Date): Date => (at.getTime() > asOfMs ? at : new Date(asOfMs));

const isSize = (bytes: number): boolean =>
  Number.isInteger(bytes) && bytes >= 0 && bytes <= storageLimits.sizeBytes;
