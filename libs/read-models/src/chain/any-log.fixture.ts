import { interfaces } from '@astro/chain/logs/fact';
import type { ContractName } from '@astro/chain/deployment/addresses';
import type { BlockIndexed } from '@astro/messages/chain';

type Log = BlockIndexed['logs'][number];
/** Draws a whole number below the limit. */
export type Draw = (limit: number) => number;

export type LoggedEvent = { readonly contract: ContractName; readonly name: string };

/** 32 bytes in hex that say the number. */
export const hashOf = (number: number): string => `0x${number.toString(16).padStart(64, '0')}`;

/** Everything that the contracts of a deployment can log. */
export const loggedEvents: readonly LoggedEvent[] = Object.entries(interfaces).flatMap(([contract, face]) => {
  const events: LoggedEvent[] = [];
  face.forEachEvent(({ name }) => events.push({ contract: contract as ContractName, name }));
  return events;
});

/** Fields that no contract logs a second time with the same values, so that they must be the log's own. */
const unique: Readonly<Record<string, readonly string[]>> = {
  'token.Allocated': ['name'],
  'escrow.Claimed': ['index'],
  'rewards.Claimed': ['index'],
  'governor.VoteCast': ['voter'],
  'governor.VoteCastWithParams': ['voter'],
  'staking.BucketReleased': ['bucket'],
};

/** A log of the event at a place, with values out of so few that logs meet each other's rows. */
export function logOf({ contract, name }: LoggedEvent, block: number, index: number, draw: Draw): Log {
  const face = interfaces[contract];
  const fragment = face.getEvent(name)!;
  const own = block * 100 + index;
  const values = fragment.inputs.map(input =>
    unique[`${contract}.${name}`]?.includes(input.name)
      ? valueOf(input.type, () => own)
      : valueOf(input.type, draw),
  );
  const { topics, data } = face.encodeEventLog(fragment, values);
  return {
    contract,
    index,
    transactionHash: bytesOf(hashOf(own)),
    topics: topics.map(bytesOf),
    data: bytesOf(data),
  };
}

function valueOf(type: string, draw: Draw): unknown {
  if (type.endsWith('[]')) return [valueOf(type.slice(0, -2), draw), valueOf(type.slice(0, -2), draw)];
  switch (type) {
    case 'address':
      return `0x${draw(4).toString(16).padStart(40, '0')}`;
    case 'bool':
      return draw(2) === 1;
    case 'bytes':
      return '0x';
    case 'bytes32':
      return hashOf(draw(4));
    case 'string':
      return `text ${draw(4)}`;
  }
  return BigInt(draw(type === 'uint8' ? 3 : 5));
}

const bytesOf = (hex: string): Uint8Array => Buffer.from(hex.slice(2), 'hex');
