/** What the chain can write: no amount that somebody asks for is more. */
export const MAX_UINT256 = 2n ** 256n - 1n;
