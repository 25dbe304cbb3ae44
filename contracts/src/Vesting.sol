// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @notice What one beneficiary receives, and when.
/// @param beneficiary Who may release what has vested.
/// @param amount Base units over the whole schedule.
/// @param start When time begins to count, in seconds since 1970.
/// @param cliffSeconds Nothing is vested before `start + cliffSeconds`; then everything since `start` is.
/// @param durationSeconds All is vested at `start + durationSeconds`.
/// @param revocable Whether the administrator may take back what has not vested.
struct Schedule {
    address beneficiary;
    uint256 amount;
    uint64 start;
    uint64 cliffSeconds;
    uint64 durationSeconds;
    bool revocable;
}

/// @title Lock-ups with a cliff and linear release
/// @notice Holds the shares of team, early contributors and investors. The schedules are fixed at deployment.
contract Vesting is AccessControl {
    using SafeERC20 for IERC20;

    /// @notice The token that vests.
    IERC20 public immutable token;
    /// @notice Where revoked tokens go.
    address public immutable treasury;

    Schedule[] private _schedules;
    mapping(uint256 id => uint256 amount) private _released;
    mapping(uint256 id => uint256 time) private _revokedAt;

    /// @notice A schedule exists from now on.
    event Scheduled(
        uint256 indexed id,
        address indexed beneficiary,
        uint256 amount,
        uint64 start,
        uint64 cliffSeconds,
        uint64 durationSeconds,
        bool revocable
    );
    /// @notice `amount` base units of schedule `id` went to its beneficiary.
    event Released(uint256 indexed id, address indexed beneficiary, uint256 amount);
    /// @notice What had not vested of schedule `id` went back to the treasury.
    event Revoked(uint256 indexed id, uint256 returned);
    /// @notice Schedule `id` pays to another account of its beneficiary from now on.
    event BeneficiaryChanged(uint256 indexed id, address indexed from, address indexed to);

    /// @notice The tokens that arrived are not what the schedules add up to.
    error ScheduleMismatch(uint256 scheduled, uint256 held);
    /// @notice A schedule needs a beneficiary, an amount and a cliff no longer than its duration.
    error InvalidSchedule(uint256 id, Schedule schedule);
    /// @notice There is no such schedule.
    error UnknownSchedule(uint256 id, uint256 count);
    /// @notice Nothing of the schedule can be released now.
    error NothingToRelease(uint256 id);
    /// @notice The schedule was not configured to be revocable, or has been revoked already.
    error NotRevocable(uint256 id);
    /// @notice Only the beneficiary may do this.
    error NotBeneficiary(uint256 id, address caller);

    /// @param token_ The token; what the schedules add up to must have arrived before.
    /// @param admin Who may revoke: the timelock.
    /// @param treasury_ Where revoked tokens go.
    constructor(IERC20 token_, address admin, address treasury_, Schedule[] memory schedules) {
        token = token_;
        treasury = treasury_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        uint256 scheduled;
        for (uint256 id = 0; id < schedules.length; ++id) {
            _add(id, schedules[id]);
            scheduled += schedules[id].amount;
        }
        uint256 held = token_.balanceOf(address(this));
        if (held != scheduled) revert ScheduleMismatch(scheduled, held);
    }

    /// @notice Sends what has vested and was not released yet to the beneficiary. Anybody may call it.
    /// @return amount Base units.
    function release(uint256 id) external returns (uint256 amount) {
        amount = releasable(id);
        if (amount == 0) revert NothingToRelease(id);
        _released[id] += amount;
        address beneficiary = _schedules[id].beneficiary;
        emit Released(id, beneficiary, amount);
        token.safeTransfer(beneficiary, amount);
    }

    /// @notice Stops a revocable schedule: what has vested stays the beneficiary's, the rest goes to the treasury.
    function revoke(uint256 id) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (!schedule(id).revocable || _revokedAt[id] != 0) revert NotRevocable(id);
        uint256 returned = _schedules[id].amount - vested(id);
        _revokedAt[id] = block.timestamp;
        emit Revoked(id, returned);
        token.safeTransfer(treasury, returned);
    }

    /// @notice Lets a beneficiary move a schedule to another account of theirs.
    function changeBeneficiary(uint256 id, address to) external {
        Schedule memory current = schedule(id);
        if (current.beneficiary != msg.sender) revert NotBeneficiary(id, msg.sender);
        if (to == address(0)) revert NotBeneficiary(id, to);
        _schedules[id].beneficiary = to;
        emit BeneficiaryChanged(id, msg.sender, to);
    }

    /// @notice How many schedules there are; their ids count from zero.
    function count() external view returns (uint256) {
        return _schedules.length;
    }

    /// @notice The terms of a schedule.
    function schedule(uint256 id) public view returns (Schedule memory) {
        if (id >= _schedules.length) revert UnknownSchedule(id, _schedules.length);
        return _schedules[id];
    }

    /// @notice What has been released of a schedule, in base units.
    function released(uint256 id) external view returns (uint256) {
        return _released[id];
    }

    /// @notice What has vested of a schedule until now, released or not, in base units.
    function vested(uint256 id) public view returns (uint256) {
        Schedule memory terms = schedule(id);
        uint256 until = _revokedAt[id] == 0 ? block.timestamp : _revokedAt[id];
        if (until < uint256(terms.start) + terms.cliffSeconds) return 0;
        uint256 elapsed = until - terms.start;
        if (elapsed >= terms.durationSeconds) return terms.amount;
        return (terms.amount * elapsed) / terms.durationSeconds;
    }

    /// @notice What `release` would send now, in base units.
    function releasable(uint256 id) public view returns (uint256) {
        return vested(id) - _released[id];
    }

    function _add(uint256 id, Schedule memory terms) private {
        bool valid = terms.beneficiary != address(0) && terms.amount > 0 && terms.durationSeconds > 0
            && terms.cliffSeconds <= terms.durationSeconds;
        if (!valid) revert InvalidSchedule(id, terms);
        _schedules.push(terms);
        emit Scheduled(
            id,
            terms.beneficiary,
            terms.amount,
            terms.start,
            terms.cliffSeconds,
            terms.durationSeconds,
            terms.revocable
        );
    }
}
