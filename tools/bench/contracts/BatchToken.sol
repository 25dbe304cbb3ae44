// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// An ERC-20 as an indexer sees it: many transfers in one transaction, among as many accounts as are asked for.
contract BatchToken {
    event Transfer(address indexed from, address indexed to, uint256 value);

    mapping(address account => uint256) public balanceOf;

    uint256 private constant ISSUED = 1e24;

    /// The account of a number, which spreads them as addresses are spread.
    function account(uint256 number) public pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode(number)))));
    }

    /// One transfer from nobody to each of `count` accounts.
    function issue(uint256 first, uint256 count) external {
        for (uint256 number = first; number < first + count; ++number) {
            address to = account(number);
            balanceOf[to] += ISSUED;
            emit Transfer(address(0), to, ISSUED);
        }
    }

    /// `count` transfers between accounts below `accounts`, which the seed draws.
    function shuffle(uint256 seed, uint256 count, uint256 accounts) external {
        for (uint256 index = 0; index < count; ++index) {
            uint256 drawn = uint256(keccak256(abi.encode(seed, index)));
            address from = account(uint64(drawn) % accounts);
            address to = account(uint64(drawn >> 64) % accounts);
            uint256 value = uint128(drawn >> 128) % 1e18;
            balanceOf[from] -= value;
            balanceOf[to] += value;
            emit Transfer(from, to, value);
        }
    }
}
