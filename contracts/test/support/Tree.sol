// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {Payout} from "../../src/Payouts.sol";

/// @notice Merkle trees over payouts, built level by level; an odd node goes up as it is.
library Tree {
    function leafOf(Payout memory payout) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(keccak256(abi.encode(payout.list, payout.index, payout.account, payout.amount)))
        );
    }

    function rootOf(Payout[] memory payouts) internal pure returns (bytes32) {
        bytes32[] memory level = _leaves(payouts);
        while (level.length > 1) level = _up(level);
        return level[0];
    }

    function proofOf(Payout[] memory payouts, uint256 index) internal pure returns (bytes32[] memory proof) {
        bytes32[] memory level = _leaves(payouts);
        bytes32[] memory steps = new bytes32[](256);
        uint256 count;
        while (level.length > 1) {
            uint256 sibling = index ^ 1;
            if (sibling < level.length) steps[count++] = level[sibling];
            level = _up(level);
            index /= 2;
        }
        proof = new bytes32[](count);
        for (uint256 step = 0; step < count; ++step) proof[step] = steps[step];
    }

    function _leaves(Payout[] memory payouts) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](payouts.length);
        for (uint256 index = 0; index < payouts.length; ++index) leaves[index] = leafOf(payouts[index]);
    }

    function _up(bytes32[] memory level) private pure returns (bytes32[] memory above) {
        above = new bytes32[]((level.length + 1) / 2);
        for (uint256 index = 0; index < above.length; ++index) {
            bool paired = 2 * index + 1 < level.length;
            above[index] =
                paired ? Hashes.commutativeKeccak256(level[2 * index], level[2 * index + 1]) : level[2 * index];
        }
    }
}
