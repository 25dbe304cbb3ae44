// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @notice What holders can tune by vote. `…Bps` are hundredths of a percent, `…Seconds` seconds, the others base units
/// of ASTRO unless their name says what they count.
enum Parameter {
    FeeBps,
    FeeBurnShareBps,
    MinOperatorStake,
    MinValidatorStake,
    MaxDelegationMultiple,
    UnbondingSeconds,
    DisputeWindowSeconds,
    AppealWindowSeconds,
    AppealTimeoutSeconds,
    AccusationBond,
    MaxSlashBps,
    SlashReporterShareBps,
    SlashBurnShareBps,
    WithdrawalDelaySeconds,
    PauseLimitSeconds,
    RewardChallengeSeconds,
    FeeValidatorShareBps
}

/// @title The parameters of the protocol, each within hard bounds
/// @notice The bounds are code: no vote, key or upgrade of another contract can pass them. What a parameter was stays
/// known, so that work is settled by the fee that was in force when it was charged, whenever that is.
contract ProtocolParameters is AccessControl {
    using Checkpoints for Checkpoints.Trace208;

    uint256 private constant WHOLE_BPS = 10_000;

    mapping(Parameter parameter => Checkpoints.Trace208) private _history;

    /// @notice A parameter has another value from now on.
    event ParameterSet(Parameter indexed parameter, uint256 from, uint256 to);

    /// @notice The value lies outside of what the code allows for this parameter.
    error OutOfBounds(Parameter parameter, uint256 value, uint256 min, uint256 max);
    /// @notice What is burned of the fee and what validators have of it would be more than the fee.
    error FeeSharesAboveWhole(uint256 burnShareBps, uint256 validatorShareBps);
    /// @notice The deployment must give one value for each parameter, in the order of the enumeration.
    error WrongNumberOfValues(uint256 given, uint256 expected);
    /// @notice What is in force at this time can still change.
    error TimeNotPast(uint256 time, uint256 current);
    /// @notice Nothing was in force yet.
    error NothingInForce(Parameter parameter, uint256 time);

    /// @param admin Who may set parameters: the timelock.
    /// @param initial One value for each parameter, in the order of `Parameter`.
    constructor(address admin, uint256[] memory initial) {
        uint256 expected = uint256(type(Parameter).max) + 1;
        if (initial.length != expected) revert WrongNumberOfValues(initial.length, expected);
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        for (uint256 index = 0; index < expected; ++index) _set(Parameter(index), initial[index]);
    }

    /// @notice Sets one parameter, within its bounds.
    function set(Parameter parameter, uint256 value) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _set(parameter, value);
    }

    /// @notice The value of a parameter.
    function get(Parameter parameter) external view returns (uint256) {
        return _history[parameter].latest();
    }

    /// @notice The value that was in force at the end of the second `time`, which has to be over: what it answers once
    /// it always answers.
    /// @param time Seconds since 1970.
    function getAt(Parameter parameter, uint256 time) external view returns (uint256 value) {
        if (time >= block.timestamp) revert TimeNotPast(time, block.timestamp);
        value = _history[parameter].upperLookupRecent(SafeCast.toUint48(time));
        // Where zero is a value the first checkpoint tells whether it was set or nothing was there yet.
        if (value == 0 && time < _history[parameter].pos(0)._key) revert NothingInForce(parameter, time);
    }

    /// @notice The least and the most that a parameter can be, both included.
    function bounds(Parameter parameter) public pure returns (uint256 min, uint256 max) {
        if (parameter == Parameter.FeeBps) return (100, 500);
        if (parameter == Parameter.FeeBurnShareBps) return (0, WHOLE_BPS);
        if (parameter == Parameter.MinOperatorStake) return (1 ether, 10_000_000 ether);
        if (parameter == Parameter.MinValidatorStake) return (1 ether, 10_000_000 ether);
        if (parameter == Parameter.MaxDelegationMultiple) return (0, 100);
        if (parameter == Parameter.UnbondingSeconds) return (7 days, 60 days);
        if (parameter == Parameter.DisputeWindowSeconds) return (1 days, 14 days);
        if (parameter == Parameter.AppealWindowSeconds) return (1 days, 14 days);
        if (parameter == Parameter.AppealTimeoutSeconds) return (14 days, 60 days);
        if (parameter == Parameter.AccusationBond) return (1 ether, 1_000_000 ether);
        if (parameter == Parameter.MaxSlashBps) return (100, 5_000);
        if (parameter == Parameter.SlashReporterShareBps) return (0, 5_000);
        if (parameter == Parameter.SlashBurnShareBps) return (0, WHOLE_BPS);
        if (parameter == Parameter.WithdrawalDelaySeconds) return (1 days, 14 days);
        if (parameter == Parameter.PauseLimitSeconds) return (1 hours, 14 days);
        if (parameter == Parameter.RewardChallengeSeconds) return (1 hours, 14 days);
        return (0, 5_000);
    }

    function _set(Parameter parameter, uint256 value) private {
        (uint256 min, uint256 max) = bounds(parameter);
        if (value < min || value > max) revert OutOfBounds(parameter, value, min, max);
        if (parameter == Parameter.FeeBurnShareBps) {
            _requireWhole(value, _history[Parameter.FeeValidatorShareBps].latest());
        }
        if (parameter == Parameter.FeeValidatorShareBps) {
            _requireWhole(_history[Parameter.FeeBurnShareBps].latest(), value);
        }
        (uint208 from, uint208 to) =
            _history[parameter].push(SafeCast.toUint48(block.timestamp), SafeCast.toUint208(value));
        emit ParameterSet(parameter, from, to);
    }

    /// @dev Asked whichever of the two changes, so that their order does not matter: it holds after each change, and so
    /// at the end of every second.
    function _requireWhole(uint256 burnShareBps, uint256 validatorShareBps) private pure {
        if (burnShareBps + validatorShareBps > WHOLE_BPS) revert FeeSharesAboveWhole(burnShareBps, validatorShareBps);
    }
}
