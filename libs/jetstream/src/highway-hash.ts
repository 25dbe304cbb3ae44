const PACKET_BYTES = 32;
const LANES = 4;

const INITIAL = BigUint64Array.of(
  ...[0xdbe6d5d5fe4cce2fn, 0xa4093822299f31d0n, 0x13198a2e03707344n, 0x243f6a8885a308d3n],
  ...[0x3bd39e10cb0ef593n, 0xc0acf169b5f18a8cn, 0xbe5466cf34e90c6cn, 0x452821e638d01377n],
);

const swapHalves = (lane: bigint) => BigInt.asUintN(64, (lane << 32n) | (lane >> 32n));

/**
 * HighwayHash-64, the checksum in the files of a JetStream stream: J. Alakuijala, B. Cox and J. Wassenberg, "Fast
 * keyed hash/pseudo-random function using SIMD multiply and permute", 2016. The state is four lanes of 64 bits in each
 * of four vectors; typed arrays keep them to 64 bits.
 */
export class HighwayHash {
  readonly #key = new BigUint64Array(LANES);
  readonly #v0 = new BigUint64Array(LANES);
  readonly #v1 = new BigUint64Array(LANES);
  readonly #mul0 = new BigUint64Array(LANES);
  readonly #mul1 = new BigUint64Array(LANES);
  readonly #packet = Buffer.alloc(PACKET_BYTES);
  readonly #lanes = new BigUint64Array(LANES);

  /** @param key 32 bytes */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, PACKET_BYTES);
    for (let lane = 0; lane < LANES; lane++) this.#key[lane] = view.getBigUint64(lane * 8, true);
  }

  digest(data: Uint8Array): bigint {
    this.#reset();
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const wholeBytes = data.length - (data.length % PACKET_BYTES);
    for (let offset = 0; offset < wholeBytes; offset += PACKET_BYTES) this.#absorb(view, offset);
    if (wholeBytes < data.length) this.#absorbRest(data.subarray(wholeBytes));
    return this.#finish();
  }

  #reset(): void {
    for (let lane = 0; lane < LANES; lane++) {
      const key = this.#key[lane]!;
      this.#mul0[lane] = INITIAL[lane]!;
      this.#mul1[lane] = INITIAL[LANES + lane]!;
      this.#v0[lane] = INITIAL[lane]! ^ key;
      this.#v1[lane] = INITIAL[LANES + lane]! ^ swapHalves(key);
    }
  }

  #absorb(view: DataView, offset: number): void {
    for (let lane = 0; lane < LANES; lane++) this.#lanes[lane] = view.getBigUint64(offset + lane * 8, true);
    this.#update();
  }

  /** The last packet, when it is not whole: its length goes into the state, its last bytes to fixed places. */
  #absorbRest(rest: Uint8Array): void {
    const length = rest.length;
    const odd = length & 3;
    const whole = length - odd;
    const size = BigInt(length);
    for (let lane = 0; lane < LANES; lane++) {
      this.#v0[lane] = this.#v0[lane]! + (size << 32n) + size;
      this.#v1[lane] = rotateHalves(this.#v1[lane]!, size);
    }
    const packet = this.#packet.fill(0);
    packet.set(rest.subarray(0, whole));
    if (length & 16) packet.set(rest.subarray(length - 4), 28);
    else if (odd > 0) {
      packet[16] = rest[whole]!;
      packet[17] = rest[whole + (odd >> 1)]!;
      packet[18] = rest[length - 1]!;
    }
    this.#absorb(new DataView(packet.buffer, packet.byteOffset, PACKET_BYTES), 0);
  }

  #finish(): bigint {
    const [v0, lanes] = [this.#v0, this.#lanes];
    for (let round = 0; round < 4; round++) {
      for (let lane = 0; lane < LANES; lane++) lanes[lane] = swapHalves(v0[lane ^ 2]!);
      this.#update();
    }
    return BigInt.asUintN(64, v0[0]! + this.#v1[0]! + this.#mul0[0]! + this.#mul1[0]!);
  }

  #update(): void {
    const [v0, v1, mul0, mul1, lanes] = [this.#v0, this.#v1, this.#mul0, this.#mul1, this.#lanes];
    for (let lane = 0; lane < LANES; lane++) {
      v1[lane] = v1[lane]! + mul0[lane]! + lanes[lane]!;
      mul0[lane] = mul0[lane]! ^ BigInt.asUintN(64, (v1[lane]! & 0xffffffffn) * (v0[lane]! >> 32n));
      v0[lane] = v0[lane]! + mul1[lane]!;
      mul1[lane] = mul1[lane]! ^ BigInt.asUintN(64, (v0[lane]! & 0xffffffffn) * (v1[lane]! >> 32n));
    }
    mergeZipped(v1, v0, 0);
    mergeZipped(v1, v0, 2);
    mergeZipped(v0, v1, 0);
    mergeZipped(v0, v1, 2);
  }
}

/** Rotates each half of 32 bits by itself. */
function rotateHalves(lane: bigint, count: bigint): bigint {
  const rotate = (half: bigint) => BigInt.asUintN(32, (half << count) | (half >> (32n - count)));
  return (rotate(lane >> 32n) << 32n) | rotate(lane & 0xffffffffn);
}

/** Adds to two lanes of `to` the bytes of the same lanes of `from`, in the order of the paper's zipper merge. */
function mergeZipped(from: BigUint64Array, to: BigUint64Array, lane: number): void {
  const low = from[lane]!;
  const high = from[lane + 1]!;
  to[lane] =
    to[lane]! +
    ((((low & 0xff000000n) | (high & 0xff00000000n)) >> 24n) |
      (((low & 0xff0000000000n) | (high & 0xff000000000000n)) >> 16n) |
      (low & 0xff0000n) |
      ((low & 0xff00n) << 32n) |
      ((high & 0xff00000000000000n) >> 8n) |
      BigInt.asUintN(64, low << 56n));
  to[lane + 1] =
    to[lane + 1]! +
    ((((high & 0xff000000n) | (low & 0xff00000000n)) >> 24n) |
      (high & 0xff0000n) |
      ((high & 0xff0000000000n) >> 16n) |
      ((high & 0xff00n) << 24n) |
      ((low & 0xff000000000000n) >> 8n) |
      ((high & 0xffn) << 48n) |
      (low & 0xff00000000000000n));
}
