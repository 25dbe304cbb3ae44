type Place = { readonly transactionHash: string; readonly logIndex: number };

const factId = /^(\d+):(0x[0-9a-f]{64}:\d+)$/;

/** Where on its chain something was logged: nothing else is there. */
export const placeOf = ({ transactionHash, logIndex }: Place): string => `${transactionHash}:${logIndex}`;

/** What the ledger calls a fact of a chain. */
export const factIdOf = (chainId: string, place: Place): string => `${chainId}:${placeOf(place)}`;

/** Undefined when it names no fact of a chain. */
export function factIn(id: string): { readonly chainId: string; readonly place: string } | undefined {
  const [, chainId, place] = factId.exec(id) ?? [];
  return chainId === undefined || place === undefined ? undefined : { chainId, place };
}
