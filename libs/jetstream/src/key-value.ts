import { JetStreamApiError } from '@nats-io/jetstream';
import { Kvm, type KV } from '@nats-io/kv';
import type { Bus } from './bus.js';

/** Larger values are refused by the bucket; refusing them here says so plainly. */
const MAX_VALUE_BYTES = 256 * 1024;
const KEY = /^[A-Za-z0-9_=-]{1,255}$/;
const WRONG_LAST_SEQUENCE = 10071;

/** One bucket of small values whose keys expire as the bucket says. */
export class KeyValue {
  readonly #bucket: KV;

  private constructor(bucket: KV) {
    this.#bucket = bucket;
  }

  /** Opens a bucket that `ensureStreams` has made. */
  static async open(bus: Bus, name: string): Promise<KeyValue> {
    return new KeyValue(await new Kvm(bus.js).open(name));
  }

  /** False when the key exists: of many that create it at once, exactly one succeeds. */
  async create(key: string, value: Uint8Array): Promise<boolean> {
    try {
      await this.#bucket.create(assertKey(key), assertSmall(value));
      return true;
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === WRONG_LAST_SEQUENCE) return false;
      throw error;
    }
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const entry = await this.#bucket.get(assertKey(key));
    return entry?.operation === 'PUT' ? entry.value : undefined;
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#bucket.put(assertKey(key), assertSmall(value));
  }

  async delete(key: string): Promise<void> {
    await this.#bucket.delete(assertKey(key));
  }
}

function assertKey(key: string): string {
  if (!KEY.test(key)) throw new Error(`${JSON.stringify(key)} cannot be a key`);
  return key;
}

function assertSmall(value: Uint8Array): Uint8Array {
  if (value.byteLength > MAX_VALUE_BYTES) throw new Error(`a value has at most ${MAX_VALUE_BYTES} bytes`);
  return value;
}
