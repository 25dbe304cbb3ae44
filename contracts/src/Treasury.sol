// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title The funds of the community
/// @notice Receives fees and slashed stakes; pays only what a vote has decided, through the timelock.
contract Treasury is AccessControl {
    using SafeERC20 for IERC20;

    /// @notice `amount` base units of `token` left the treasury.
    event Paid(IERC20 indexed token, address indexed to, uint256 amount, bytes32 indexed purpose);

    /// @notice Payments to nobody are refused.
    error NoRecipient();

    /// @param admin Who may pay: the timelock.
    constructor(address admin) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @notice Pays out of the treasury.
    /// @param purpose What the payment is for, for example the id of a proposal or of a grant.
    function pay(IERC20 token, address to, uint256 amount, bytes32 purpose) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (to == address(0)) revert NoRecipient();
        emit Paid(token, to, amount, purpose);
        token.safeTransfer(to, amount);
    }
}
