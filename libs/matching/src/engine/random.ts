/** Numbers from a seed: xorshift32 (Marsaglia, 2003). The same seed gives the same numbers. */
export class Random {
  private state: number;

  constructor(seed: number) {
    // Spread, so that neighbouring seeds begin apart; 0 would stay 0.
    this.state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1;
  }

  /** An integer from 0 to `limit` − 1. */
  below(limit: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return Math.floor(((this.state >>> 0) / 2 ** 32) * limit);
  }
}
