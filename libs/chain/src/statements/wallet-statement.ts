import { getAddress, verifyTypedData, type BaseWallet } from 'ethers';

/** What an address says when it becomes an owner's. */
export type WalletStatement = {
  /** `tenant` or `operator`. */
  readonly owner: string;
  readonly ownerId: string;
  readonly chainId: number;
  readonly address: string;
  /** How many addresses the owner has linked before. */
  readonly nonce: number;
  readonly expiresAt: Date;
};

/** EIP-712: what wallets show to whoever signs. */
const types = {
  WalletStatement: [
    { name: 'statement', type: 'string' },
    { name: 'owner', type: 'string' },
    { name: 'ownerId', type: 'string' },
    { name: 'account', type: 'address' },
    { name: 'nonce', type: 'uint256' },
    { name: 'expiresAt', type: 'uint256' },
  ],
};
const statement = 'This address belongs to the account below on Astro.';

const domainOf = ({ chainId }: WalletStatement) => ({ name: 'Astro', version: '1', chainId });
const messageOf = ({ owner, ownerId, address, nonce, expiresAt }: WalletStatement) => ({
  ...{ statement, owner, ownerId, account: getAddress(address), nonce },
  expiresAt: Math.floor(expiresAt.getTime() / 1_000),
});

/** What to hand to a wallet's `eth_signTypedData_v4`, in JSON. */
export const typedDataOf = (said: WalletStatement) => ({
  domain: domainOf(said),
  types,
  primaryType: 'WalletStatement',
  message: messageOf(said),
});

/** @returns 0x and 130 digits of hex */
export const signStatement = (wallet: BaseWallet, said: WalletStatement): Promise<string> =>
  wallet.signTypedData(domainOf(said), types, messageOf(said));

/** Whether the statement's own address has signed it, just as it stands. */
export function isSigned(said: WalletStatement, signature: string): boolean {
  try {
    const signer = verifyTypedData(domainOf(said), types, messageOf(said), signature);
    return signer === getAddress(said.address);
  } catch (error) {
    // Ethers tells with these that the signature or the address is none at all.
    if (error instanceof TypeError || (error instanceof Error && 'code' in error)) return false;
    throw error;
  }
}
