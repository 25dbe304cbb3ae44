import { Type } from '@mikro-orm/core';

/**
 * Money in base units: `bigint` in the domain, `numeric(78,0)` in PostgreSQL, which holds any 256-bit integer.
 * Use it as `p.type(Atto)`.
 */
export class Atto extends Type<bigint, string> {
  /** Of a column that may be empty, what is empty comes here too when a row is read again: it stays so. */
  override convertToDatabaseValue(value: bigint): string {
    return (value as bigint | null)?.toString() as string;
  }

  override convertToJSValue(value: string | bigint): bigint {
    return BigInt(value);
  }

  override getColumnType(): string {
    return 'numeric(78,0)';
  }

  override compareAsType(): string {
    return 'string';
  }

  override toJSON(value: bigint): string {
    return value.toString();
  }
}
