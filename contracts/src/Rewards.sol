// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ExpiringPause} from "./ExpiringPause.sol";
import {Payout, Payouts} from "./Payouts.sol";
import {Parameter, ProtocolParameters} from "./ProtocolParameters.sol";

/// @notice How the rewards of the community share are emitted.
/// @param start When emission begins, in seconds since 1970.
/// @param firstEra Base units emitted evenly over the first era of 365 days.
/// @param decayBps By how much each era emits less than the one before.
struct Emission {
    uint64 start;
    uint256 firstEra;
    uint16 decayBps;
}

/// @title Rewards for proven computation
/// @notice Holds the community's share of the supply and pays it by epochs: for each, the platform publishes the Merkle
/// root of what proven computation has earned, and after a challenge window each account claims its part. All epochs
/// together never pass what the schedule has emitted until then and what was paid in beside the share, such as the
/// validators' part of fees; and the schedule never passes the share.
contract Rewards is ExpiringPause, UUPSUpgradeable {
    using SafeERC20 for IERC20;
    using Payouts for Payouts.List;

    /// @notice May publish epochs: the platform's verification.
    bytes32 public constant PUBLISHER_ROLE = keccak256("PUBLISHER_ROLE");
    /// @notice The length of an era.
    uint256 public constant ERA_SECONDS = 365 days;
    /// @notice Eras after which nothing more is emitted.
    uint256 public constant MAX_ERAS = 100;
    uint256 private constant WHOLE_BPS = 10_000;

    IERC20 private _token;
    Emission private _emission;
    uint256 private _epochs;
    uint256 private _published;
    uint256 private _unclaimed;
    mapping(bytes32 list => Payouts.List) private _lists;
    mapping(bytes32 list => uint64) private _openFrom;
    /// @dev Last, because contracts from before it are upgraded to this.
    uint256 private _funded;

    /// @notice An epoch can be claimed from `openFrom` on, unless it is cancelled before.
    event EpochPublished(uint256 indexed epoch, bytes32 root, uint256 total, uint64 openFrom);
    /// @notice A wrong epoch was taken back before anybody could claim.
    event EpochCancelled(uint256 indexed epoch, uint256 total);
    /// @notice `from` paid in `amount` for epochs to come.
    event Funded(address indexed from, uint256 amount);
    /// @notice An account took its part of an epoch.
    event Claimed(uint256 indexed epoch, uint256 indexed index, address indexed account, uint256 amount);

    /// @notice The schedule would emit more than this contract holds.
    error EmissionAboveShare(uint256 emission, uint256 share);
    /// @notice The decay must be above zero and at most the whole.
    error InvalidDecay(uint256 decayBps);
    /// @notice The epochs would pass what the schedule has emitted and what was paid in.
    error AboveSchedule(uint256 total, uint256 available);
    /// @notice Epochs come one after the other.
    error WrongEpoch(uint256 epoch, uint256 expected);
    /// @notice The amount must not be zero.
    error NoAmount();
    /// @notice An epoch needs a root and a total.
    error EmptyEpoch(uint256 epoch);
    /// @notice The epoch is unknown, cancelled or still within its challenge window.
    error NotOpen(uint256 epoch, uint64 openFrom);
    /// @notice The epoch is unknown, cancelled or open to claims, and cannot be cancelled.
    error NotCancellable(uint256 epoch, uint64 openFrom);

    constructor() {
        _disableInitializers();
    }

    /// @param token_ ASTRO; the community's share must have arrived before.
    /// @param admin Who may upgrade, resume and grant roles: the timelock.
    /// @param publisher Who may publish epochs.
    /// @param guardian Who may pause, and cancel a wrong epoch.
    /// @param emission_ The schedule.
    function initialize(
        IERC20 token_,
        ProtocolParameters parameters_,
        address admin,
        address publisher,
        address guardian,
        Emission calldata emission_
    ) external initializer {
        __AccessControl_init();
        if (emission_.decayBps == 0 || emission_.decayBps > WHOLE_BPS) revert InvalidDecay(emission_.decayBps);
        (_token, _parameters, _emission) = (token_, parameters_, emission_);
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(PUBLISHER_ROLE, publisher);
        _grantRole(GUARDIAN_ROLE, guardian);
        uint256 emissionInAll = emittedBy(emission_.start + ERA_SECONDS * MAX_ERAS);
        uint256 share = token_.balanceOf(address(this));
        if (emissionInAll > share) revert EmissionAboveShare(emissionInAll, share);
    }

    /// @notice Publishes what proven computation has earned in an epoch.
    /// @param epoch Its number: the one after the last, from zero.
    /// @param root Root of the Merkle tree of payouts, of the list that is `listOf(epoch)`.
    /// @param total What the payouts add up to, in base units.
    function publish(uint256 epoch, bytes32 root, uint256 total) external onlyRole(PUBLISHER_ROLE) whenNotPaused {
        if (epoch != _epochs) revert WrongEpoch(epoch, _epochs);
        if (root == 0 || total == 0) revert EmptyEpoch(epoch);
        uint256 available = emittedBy(block.timestamp) + _funded - _published;
        if (total > available) revert AboveSchedule(total, available);
        uint64 openFrom = uint64(block.timestamp + _parameters.get(Parameter.RewardChallengeSeconds));
        bytes32 list = listOf(epoch);
        (_lists[list].root, _lists[list].total, _openFrom[list]) = (root, total, openFrom);
        _epochs = epoch + 1;
        _published += total;
        _unclaimed += total;
        emit EpochPublished(epoch, root, total, openFrom);
    }

    /// @notice Pays in for epochs to come, on top of the schedule. Anybody may; nothing of it goes back. No pause stops it,
    /// so that none of this contract stops the settlements of Escrow.
    function fund(uint256 amount) external {
        if (amount == 0) revert NoAmount();
        _funded += amount;
        emit Funded(msg.sender, amount);
        _token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Takes a wrong epoch back, before anybody can claim. What it would have paid can be published again.
    function cancel(uint256 epoch) external onlyRole(GUARDIAN_ROLE) {
        bytes32 list = listOf(epoch);
        uint64 openFrom = _openFrom[list];
        if (block.timestamp >= openFrom) revert NotCancellable(epoch, openFrom);
        uint256 total = _lists[list].total;
        delete _lists[list].root;
        delete _lists[list].total;
        delete _openFrom[list];
        _published -= total;
        _unclaimed -= total;
        emit EpochCancelled(epoch, total);
    }

    /// @notice Pays one entry of an epoch to its account. Anybody may call it.
    function claim(uint256 epoch, Payout calldata payout, bytes32[] calldata proof) external whenNotPaused {
        bytes32 list = listOf(epoch);
        uint64 openFrom = _openFrom[list];
        if (openFrom == 0 || block.timestamp < openFrom || payout.list != list) revert NotOpen(epoch, openFrom);
        _lists[list].take(payout, proof);
        _unclaimed -= payout.amount;
        emit Claimed(epoch, payout.index, payout.account, payout.amount);
        _token.safeTransfer(payout.account, payout.amount);
    }

    /// @notice What the schedule has emitted until `time`, in base units.
    function emittedBy(uint256 time) public view returns (uint256 emitted) {
        if (time <= _emission.start) return 0;
        uint256 elapsed = time - _emission.start;
        uint256 era = _emission.firstEra;
        for (uint256 number = 0; number < MAX_ERAS && era > 0; ++number) {
            if (elapsed < ERA_SECONDS) return emitted + (era * elapsed) / ERA_SECONDS;
            emitted += era;
            elapsed -= ERA_SECONDS;
            era = (era * (WHOLE_BPS - _emission.decayBps)) / WHOLE_BPS;
        }
    }

    /// @notice The id of an epoch's list of payouts, which every leaf of its tree begins with.
    function listOf(uint256 epoch) public view returns (bytes32) {
        return keccak256(abi.encode(address(this), epoch));
    }

    /// @notice An epoch: its root, what it pays in all, what has been claimed, and from when on it can be.
    function epochOf(uint256 epoch)
        external
        view
        returns (bytes32 root, uint256 total, uint256 paid, uint64 openFrom)
    {
        Payouts.List storage list = _lists[listOf(epoch)];
        return (list.root, list.total, list.paid, _openFrom[listOf(epoch)]);
    }

    /// @notice How many epochs have been published, what they pay in all, and what of it waits to be claimed.
    function totals() external view returns (uint256 epochs, uint256 published, uint256 unclaimed) {
        return (_epochs, _published, _unclaimed);
    }

    /// @notice What was paid in beside the share, in base units.
    function funded() external view returns (uint256) {
        return _funded;
    }

    /// @notice The schedule.
    function emission() external view returns (Emission memory) {
        return _emission;
    }

    function _authorizeUpgrade(address) internal override onlyRole(DEFAULT_ADMIN_ROLE) {}
}
