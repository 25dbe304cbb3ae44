// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessControlUpgradeable} from "@openzeppelin/contracts-upgradeable/access/AccessControlUpgradeable.sol";
import {Parameter, ProtocolParameters} from "./ProtocolParameters.sol";

/// @title A pause that ends by itself
/// @notice A guardian may stop a contract at once, but neither takes funds nor keeps them from their owners: the pause
/// ends after a bounded time, and the next one may begin only when as much time again has passed.
abstract contract ExpiringPause is AccessControlUpgradeable {
    /// @notice May pause.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    ProtocolParameters internal _parameters;
    uint64 private _pausedUntil;
    uint64 private _nextPauseFrom;

    /// @notice The contract is stopped until then.
    event Paused(address indexed guardian, uint64 until);
    /// @notice The administrator ended the pause early.
    event Resumed();

    /// @notice The contract is stopped until then.
    error IsPaused(uint64 until);
    /// @notice The guardian has paused so recently that it may not again before then.
    error PausedRecently(uint64 nextFrom);

    modifier whenNotPaused() {
        if (block.timestamp < _pausedUntil) revert IsPaused(_pausedUntil);
        _;
    }

    /// @notice Stops the contract for the time that the parameters allow.
    function pause() external onlyRole(GUARDIAN_ROLE) {
        if (block.timestamp < _nextPauseFrom) revert PausedRecently(_nextPauseFrom);
        uint64 limit = uint64(_parameters.get(Parameter.PauseLimitSeconds));
        _pausedUntil = uint64(block.timestamp) + limit;
        _nextPauseFrom = _pausedUntil + limit;
        emit Paused(msg.sender, _pausedUntil);
    }

    /// @notice Ends a pause before its time.
    function resume() external onlyRole(DEFAULT_ADMIN_ROLE) {
        _pausedUntil = 0;
        emit Resumed();
    }

    /// @notice When the contract works again; in the past when it does.
    function pausedUntil() external view returns (uint64) {
        return _pausedUntil;
    }
}
