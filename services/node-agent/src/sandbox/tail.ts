const TAIL_BYTES_MAX = 8 * 1024;

/** The last bytes that a program wrote to one of its standard streams. */
export class Tail {
  #bytes = new Uint8Array(0);

  write(data: Uint8Array): void {
    const kept = this.#bytes.subarray(Math.max(0, this.#bytes.length + data.length - TAIL_BYTES_MAX));
    const added = data.subarray(Math.max(0, data.length - TAIL_BYTES_MAX));
    const joined = new Uint8Array(kept.length + added.length);
    joined.set(kept);
    joined.set(added, kept.length);
    this.#bytes = joined;
  }

  get text(): string {
    return new TextDecoder().decode(this.#bytes);
  }
}
