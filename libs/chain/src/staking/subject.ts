import { id as hashOf } from 'ethers';

/** What the contract Staking knows an operator or a validator by: Keccak-256 of the id's text. */
export const subjectOf = (ownerId: string): string => hashOf(ownerId);
