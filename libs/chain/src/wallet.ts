import { HDNodeWallet, Wallet } from 'ethers';

/** @param privateKey 32 bytes in hex @throws Error that does not repeat the key */
export const walletOf = (privateKey: string): Wallet => {
  if (!/^0x[0-9a-fA-F]{64}$/.test(privateKey)) throw new Error('a private key is 0x and 64 digits of hex');
  return new Wallet(privateKey);
};

/** One of the accounts that a mnemonic stands for, in the order that wallets and local chains use. */
export const walletFrom = (mnemonic: string, index: number): Wallet =>
  new Wallet(HDNodeWallet.fromPhrase(mnemonic, undefined, `m/44'/60'/0'/0/${index}`).privateKey);
