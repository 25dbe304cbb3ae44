// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

/// @notice What one account may claim of a list of payouts.
/// @param list The id of the list.
/// @param index Its place in the list, from zero.
/// @param account Who is paid.
/// @param amount Base units.
struct Payout {
    bytes32 list;
    uint256 index;
    address account;
    uint256 amount;
}

/// @title Lists of payouts behind a Merkle root
/// @notice Each entry is paid once, and all of them together never more than the list's total, whatever the tree says.
/// Leaves are those of OpenZeppelin's `merkle-tree` (standard tree) of (bytes32, uint256, address, uint256).
library Payouts {
    using BitMaps for BitMaps.BitMap;

    /// @notice A list of payouts.
    /// @param root Root of the Merkle tree over the entries.
    /// @param total What all entries may take together, in base units.
    /// @param paid What they have taken.
    /// @param done Which entries have been paid.
    struct List {
        bytes32 root;
        uint256 total;
        uint256 paid;
        BitMaps.BitMap done;
    }

    /// @notice The entry has been paid before.
    error AlreadyPaid(bytes32 list, uint256 index);
    /// @notice The entry is not in the tree.
    error InvalidProof(bytes32 list, uint256 index, address account, uint256 amount);
    /// @notice The entries of this list add up to more than its total.
    error ListExhausted(bytes32 list, uint256 amount, uint256 left);

    /// @notice Marks an entry as paid, if the proof shows that it is in the list.
    function take(List storage self, Payout calldata payout, bytes32[] calldata proof) internal {
        if (self.done.get(payout.index)) revert AlreadyPaid(payout.list, payout.index);
        if (!MerkleProof.verifyCalldata(proof, self.root, leafOf(payout))) {
            revert InvalidProof(payout.list, payout.index, payout.account, payout.amount);
        }
        uint256 left = self.total - self.paid;
        if (payout.amount > left) revert ListExhausted(payout.list, payout.amount, left);
        self.done.set(payout.index);
        self.paid += payout.amount;
    }

    /// @notice The leaf of an entry.
    function leafOf(Payout calldata payout) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(keccak256(abi.encode(payout.list, payout.index, payout.account, payout.amount)))
        );
    }
}
