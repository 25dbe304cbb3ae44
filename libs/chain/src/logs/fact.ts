import type { EventFragment, Interface } from 'ethers';
import { AstroGovernor__factory } from '../gen/factories/AstroGovernor__factory.js';
import { AstroToken__factory } from '../gen/factories/AstroToken__factory.js';
import { Escrow__factory } from '../gen/factories/Escrow__factory.js';
import { Grants__factory } from '../gen/factories/Grants__factory.js';
import { ProtocolParameters__factory } from '../gen/factories/ProtocolParameters__factory.js';
import { Rewards__factory } from '../gen/factories/Rewards__factory.js';
import { Slashing__factory } from '../gen/factories/Slashing__factory.js';
import { Staking__factory } from '../gen/factories/Staking__factory.js';
import { TimelockController__factory } from '../gen/factories/TimelockController__factory.js';
import { Treasury__factory } from '../gen/factories/Treasury__factory.js';
import { Vesting__factory } from '../gen/factories/Vesting__factory.js';
import type { ContractName } from '../deployment/addresses.js';

type RawLog = {
  readonly contract: string;
  readonly topics: readonly Uint8Array[];
  readonly data: Uint8Array;
};

/** What each contract of a deployment can be asked, and what it logs. */
export const interfaces: Readonly<Record<ContractName, Interface>> = {
  timelock: TimelockController__factory.createInterface(),
  treasury: Treasury__factory.createInterface(),
  token: AstroToken__factory.createInterface(),
  vesting: Vesting__factory.createInterface(),
  parameters: ProtocolParameters__factory.createInterface(),
  rewards: Rewards__factory.createInterface(),
  staking: Staking__factory.createInterface(),
  slashing: Slashing__factory.createInterface(),
  escrow: Escrow__factory.createInterface(),
  grants: Grants__factory.createInterface(),
  governor: AstroGovernor__factory.createInterface(),
};

/** A value that its event has not, or that is larger than it can be. */
export class UnknownLog extends Error {
  override readonly name = 'UnknownLog';
}

/** Where the words of an event of static types are: in the topics or in the data, and how each is read. */
type Field = {
  readonly type: string;
  readonly place: number;
  readonly topic?: number;
  readonly word?: number;
};
type Layout = {
  /** `<contract>.<Event>` */
  readonly name: string;
  readonly fragment: EventFragment;
  readonly fields: ReadonlyMap<string, Field>;
  readonly isStatic: boolean;
};

/** By contract and by the first topic. */
const layouts = new Map<string, ReadonlyMap<string, Layout>>();
for (const [contract, face] of Object.entries(interfaces)) {
  const events = new Map<string, Layout>();
  face.forEachEvent(fragment => events.set(fragment.topicHash, layoutOf(contract, fragment)));
  layouts.set(contract, events);
}

function layoutOf(contract: string, fragment: EventFragment): Layout {
  const fields = new Map<string, Field>();
  let topic = 1;
  let word = 0;
  for (const [place, { name, type, indexed }] of fragment.inputs.entries())
    fields.set(name, indexed ? { type, place, topic: topic++ } : { type, place, word: word++ });
  const isStatic = fragment.inputs.every(({ type }) => /^(address|bool|u?int\d*|bytes32)$/.test(type));
  return { name: `${contract}.${fragment.name}`, fragment, fields, isStatic };
}

/**
 * A log with its name and its values. Those of static types are cut out of the words when they are asked for, which is
 * many times faster than decoding all of them; the others are decoded by ethers.
 */
export class Fact {
  readonly #log: RawLog;
  readonly #layout: Layout;
  /** Amounts and addresses by the places of their fields: tables ask for the same few again and again. */
  readonly #known: (bigint | string | undefined)[] = [];
  #decoded: { getValue(name: string): unknown } | undefined;

  private constructor(log: RawLog, layout: Layout) {
    this.#log = log;
    this.#layout = layout;
  }

  /** Undefined when the contract's interface has no such event: an upgrade may log what older code does not know. */
  static of(log: RawLog): Fact | undefined {
    const [topic] = log.topics;
    const layout = topic && layouts.get(log.contract)?.get(hex(topic));
    return layout && new Fact(log, layout);
  }

  /** `<contract>.<Event>`, for example `token.Transfer`. */
  get name(): string {
    return this.#layout.name;
  }

  /** A whole number of any width. */
  amount(name: string): bigint {
    const field = this.#field(name);
    const known = this.#known[field.place];
    if (typeof known === 'bigint') return known;
    const word = this.#word(field);
    const amount = word === undefined ? (this.#value(name) as bigint) : BigInt(hex(word));
    this.#known[field.place] = amount;
    return amount;
  }

  /** A whole number that is small by nature, such as a time or an index. @throws UnknownLog beyond 2^53 */
  number(name: string): number {
    const number = Number(this.amount(name));
    if (!Number.isSafeInteger(number)) throw new UnknownLog(`${this.name}.${name} is ${number}`);
    return number;
  }

  flag(name: string): boolean {
    return this.amount(name) !== 0n;
  }

  /** An address in hex, in lower case. */
  address(name: string): string {
    const field = this.#field(name);
    const known = this.#known[field.place];
    if (typeof known === 'string') return known;
    const word = this.#word(field);
    const address = word === undefined ? (this.#value(name) as string).toLowerCase() : hex(word.subarray(12));
    this.#known[field.place] = address;
    return address;
  }

  /** 32 bytes in hex. */
  bytes32(name: string): string {
    const word = this.#word(this.#field(name));
    return word === undefined ? (this.#value(name) as string) : hex(word);
  }

  text(name: string): string {
    return this.#value(name) as string;
  }

  amounts(name: string): readonly bigint[] {
    return [...(this.#value(name) as Iterable<bigint>)];
  }

  #field(name: string): Field {
    const field = this.#layout.fields.get(name);
    if (field === undefined) throw new UnknownLog(`${this.name} has no ${name}`);
    return field;
  }

  #word(field: Field): Uint8Array | undefined {
    if (field.topic !== undefined) return this.#log.topics[field.topic]!;
    if (!this.#layout.isStatic) return undefined;
    return this.#log.data.subarray(field.word! * 32, field.word! * 32 + 32);
  }

  #value(name: string): unknown {
    if (this.#decoded === undefined) {
      const { contract, topics, data } = this.#log;
      const { fragment } = this.#layout;
      this.#decoded = interfaces[contract as ContractName].decodeEventLog(
        fragment,
        hex(data),
        topics.map(hex),
      );
    }
    return this.#decoded.getValue(name);
  }
}

const hex = (bytes: Uint8Array): string =>
  `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;
