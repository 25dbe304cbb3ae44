// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

/// @notice One row of the initial allocation.
/// @param name What the share is for, for example "ecosystem and grants".
/// @param holder The account or contract that receives it.
/// @param amount Base units: 1 ASTRO is 10^18.
struct Allocation {
    string name;
    address holder;
    uint256 amount;
}

/// @title The ASTRO token
/// @notice The whole supply is minted once, by the table of the deployment, and never again: there is no minter. From
/// then on the supply can only shrink, because anybody may burn what is theirs. Votes count by time (ERC-6372).
contract AstroToken is ERC20, ERC20Burnable, ERC20Permit, ERC20Votes {
    /// @notice No more than this ever exists: 10 billion ASTRO.
    uint256 public constant CAP = 10_000_000_000 ether;

    /// @notice One row of the initial allocation was minted.
    event Allocated(string name, address indexed holder, uint256 amount);

    /// @notice The table does not add up to the supply that the deployment states.
    error AllocationMismatch(uint256 stated, uint256 added);
    /// @notice The stated supply is above the cap.
    error CapExceeded(uint256 supply, uint256 cap);

    /// @param supply What the table must add up to, in base units.
    /// @param allocations The table: who receives how much.
    constructor(uint256 supply, Allocation[] memory allocations) ERC20("Astro", "ASTRO") ERC20Permit("Astro") {
        if (supply > CAP) revert CapExceeded(supply, CAP);
        for (uint256 row = 0; row < allocations.length; ++row) {
            Allocation memory allocation = allocations[row];
            _mint(allocation.holder, allocation.amount);
            emit Allocated(allocation.name, allocation.holder, allocation.amount);
        }
        if (totalSupply() != supply) revert AllocationMismatch(supply, totalSupply());
    }

    /// @notice Votes are weighed by time stamps rather than block numbers, which differ from chain to chain.
    function clock() public view override returns (uint48) {
        return uint48(block.timestamp);
    }

    /// @notice Says that the clock counts seconds (ERC-6372).
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    /// @notice The next nonce of `owner` for permits and for delegation by signature.
    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }
}
